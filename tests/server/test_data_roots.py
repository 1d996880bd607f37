"""Which folders may be read."""

import pytest

from breastai.domain.config import parse_config
from breastai.domain.errors import DataOutsideRoots
from breastai.server.data_roots import DataRoots


@pytest.fixture
def roots(workspace, tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "private").mkdir()
    return DataRoots.of(workspace, [str(tmp_path / "images")])


def test_the_workspace_and_the_roots_may_be_read(roots, tmp_path):
    for path in ("data/train", ".", "data/../data", str(tmp_path / "images"), str(tmp_path / "images/train/x")):
        roots.check(path)


@pytest.mark.parametrize("path", ["..", "../private", "/", "/etc", "~", "data/../../private", "a\0b", "~nobody-here/x"])
def test_nothing_else_may(roots, path):
    with pytest.raises(DataOutsideRoots):
        roots.check(path)


def test_a_folder_that_only_begins_like_a_root_may_not(roots, tmp_path):
    with pytest.raises(DataOutsideRoots):
        roots.check(str(tmp_path / "images-of-others"))


def test_a_link_counts_as_where_it_leads(roots, workspace, tmp_path):
    (workspace.root / "out").symlink_to(tmp_path / "private")
    (workspace.root / "allowed").symlink_to(tmp_path / "images")
    with pytest.raises(DataOutsideRoots):
        roots.check("out")
    roots.check("allowed/train")


def test_a_root_that_is_a_link_is_followed_once_at_the_start(workspace, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "images")
    DataRoots.of(workspace, [str(tmp_path / "alias")]).check(str(tmp_path / "alias" / "train"))


@pytest.mark.parametrize(
    "values",
    [
        {"data": {"train_dir": "../private"}},
        {"data": {"val_dir": "../private"}},
        {"data": {"test_dir": "../private"}},
        {"model": {"weights_file": "../private/w.safetensors"}},
        {"evaluation": {"patient_id": {"csv": "../private/p.csv"}}},
    ],
)
def test_every_path_of_a_configuration_is_checked(roots, values):
    roots.check_config(parse_config({}))
    with pytest.raises(DataOutsideRoots):
        roots.check_config(parse_config(values))
