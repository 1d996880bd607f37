"""Which folders may be read."""

import pytest

from breastai.domain import jobs
from breastai.domain.config import Config, parse_config
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import BreastAIError, ClusterNotAllowed, DataOutsideRoots, StoreNotAllowed
from breastai.domain.events import TrainingStarted
from breastai.server.access.allowed_paths import DataRoots
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import Manifest, SplitRecord, checkpoint_files
from breastai.storage.datasets import save_dataset
from breastai.storage.journal import Journal


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


def test_a_data_set_is_named_as_a_folder_is_and_leads_nowhere_else(roots, workspace, tmp_path):
    def describe(name, root):
        save_dataset(workspace, parse_description({"name": name, "root": root, "fields": {"label": {"folder": 1}}}))

    for name, root in (("inside", "data/busi"), ("allowed", str(tmp_path / "images"))):
        describe(name, root)
        roots.check(name)
        roots.check(f"datasets/{name}.json")
    for name, root in (("outside", str(tmp_path / "private")), ("above", "../private"), ("home", "~")):
        describe(name, root)
        with pytest.raises(DataOutsideRoots):
            roots.check(name)
        with pytest.raises(DataOutsideRoots):
            roots.check_config(parse_config({"data": {"train_dir": name}}))
    describe("remote", "s3://elsewhere/images")
    with pytest.raises(StoreNotAllowed):
        roots.check("remote")


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
        {"data": {"split_file": "../private/split.json"}},
        {"model": {"weights_file": "../private/w.safetensors"}},
        {"evaluation": {"patient_id": {"csv": "../private/p.csv"}}},
    ],
)
def test_every_path_of_a_configuration_is_checked(roots, values):
    roots.check_config(parse_config({}))
    with pytest.raises(DataOutsideRoots) as refused:
        roots.check_config(parse_config(values))
    section, setting = refused.value.about.split(".")
    assert setting in values[section]


def test_a_cluster_is_used_only_when_the_owner_named_it(workspace):
    config = parse_config({"system": {"cluster": "ray://elsewhere:10001"}})
    with pytest.raises(ClusterNotAllowed):
        DataRoots.of(workspace, [], ["local"]).check_config(config)
    DataRoots.of(workspace, [], ["local", "ray://elsewhere:10001"]).check_config(config)
    job = jobs.Crossval(workspace=str(workspace.root), study_id="study", config=config)
    with pytest.raises(ClusterNotAllowed):
        DataRoots.of(workspace, []).check_job(job)


# Settings that take a text and name no file: what they may be is checked elsewhere, or they are the owner's alone.
NO_PATHS = {"evaluation.target_class", "evaluation.patient_id", "evaluation.patient_id.pattern"}


def test_no_setting_takes_a_path_that_is_not_checked(roots):
    """Every setting of a run that "../private/x" is valid for."""
    taken = set()
    for section, group in Config.model_fields.items():
        for name in group.annotation.model_fields if section != "server" else ():
            for value in ("../private/x", {"csv": "../private/x"}, {"pattern": "../private/x"}):
                try:
                    config = parse_config({section: {name: value}})
                except BreastAIError:
                    continue
                try:
                    roots.check_config(config)
                except DataOutsideRoots:
                    continue
                key = next(iter(value), "") if isinstance(value, dict) else ""
                taken.add(f"{section}.{name}.{key}".rstrip("."))
    assert taken == NO_PATHS


WAITING = [
    jobs.Train(workspace="w", run_id="r", config=parse_config({"data": {"train_dir": "../private"}})),
    jobs.Evaluate(workspace="w", checkpoint="r/best", data="../private"),
    jobs.Evaluate(workspace="w", checkpoint="r/best", data="data", subgroups="../private/s.csv"),
    jobs.EvaluatePredictions(workspace="w", predictions="../private/p.csv"),
    jobs.ComparePredictions(workspace="w", first="data/p.csv", second="../private/p.csv"),
    jobs.Compare(workspace="w", first="a/best", second="b/best", data="../private"),
    jobs.Audit(workspace="w", data="../private"),
    jobs.Predict(workspace="w", checkpoint="r/best", images=["data/1.png", "../private/1.png"]),
    jobs.Explain(workspace="w", checkpoint="r/best", images=["../private/1.png"]),
]


@pytest.mark.parametrize("job", WAITING, ids=lambda job: job.kind)
def test_a_job_that_waited_is_checked_again_before_it_runs(roots, job):
    with pytest.raises(DataOutsideRoots):
        roots.check_job(job)


def test_a_job_that_reads_inside_may_run(roots):
    roots.check_job(jobs.Compare(workspace="w", first="a/best", second="b/best", data="data"))
    roots.check_job(jobs.Predict(workspace="w", checkpoint="r/best", images=["data/1.png"]))
    roots.check_job(jobs.Resume(workspace="w", run_id="r"))


def test_a_run_that_waits_to_be_gone_on_with_is_checked_by_the_configuration_it_began_with(roots, workspace):
    outside = Config.model_validate({"data": {"train_dir": "../private"}})
    journal = Journal(workspace.journal_file("r"), "r", "default")
    journal.stamp(
        TrainingStarted(
            architecture="resnet50", epochs=1, class_names=["a", "b"], config=outside.model_dump(mode="json")
        )
    )
    journal.close()
    with pytest.raises(DataOutsideRoots):
        roots.check_job(jobs.Resume(workspace="w", run_id="r"))


@pytest.mark.parametrize(
    ("request_type", "asked"),
    [
        ("evaluate_model", {"checkpoint": "run/best", "data": "data"}),
        ("compare_models", {"first": "run/best", "second": "run/best", "data": "data"}),
        ("export_model", {"checkpoint": "run/best", "others": ["run/best"]}),
    ],
)
def test_the_patients_of_a_checkpoint_come_from_no_file_outside(play, workspace, tmp_path, request_type, asked):
    (tmp_path / "private.csv").write_text("file,patient_id\n")
    config = parse_config({"evaluation": {"patient_id": {"csv": str(tmp_path / "private.csv")}}})
    manifest = Manifest(
        run_id="run", kind="best", created="2026-01-01T00:00:00+00:00", config=config, architecture="resnet50",
        class_names=["benign", "malignant"], image_size=32, mean=[0.5] * 3, std=[0.5] * 3, epoch=1, metrics={},
        split=SplitRecord(train=[], val=[], train_sha256=[], val_sha256=[]), pretrained="none", versions={},
        state={"epoch": 1},
    )  # fmt: skip
    save_checkpoint(
        checkpoint_files(workspace, "run", "best"),
        manifest,
        lambda path: path.write_bytes(b"weights"),
        lambda path: path.write_bytes(b"state"),
        2,
    )

    async def story(stage):
        script = await stage.connect()
        answer = await script.ask(request_type, **asked)
        assert answer.get("code") == "data.outside_roots", answer
        assert stage.workers_begun == 0

    play(story)


def test_no_address_of_storage_may_be_read_but_what_its_owner_named(workspace):
    bare = DataRoots.of(workspace, [])
    for address in ("s3://bucket/train", "file:///etc", "memory://x"):
        with pytest.raises(StoreNotAllowed):
            bare.check(address)
    named = DataRoots.of(workspace, ["s3://bucket/images/"])
    for address in ("s3://bucket/images", "S3://bucket/images/train/", "s3://bucket/images/a b/c"):
        named.check(address)
    for address in (
        "s3://bucket",
        "s3://bucket/images-of-others",
        "s3://bucket/images/../private",
        "s3://bucket/images/%2e%2e/private",
        "gs://bucket/images",
        "simplecache::s3://bucket/images",
        "s3://key:secret@bucket/images",
    ):
        with pytest.raises(StoreNotAllowed) as caught:
            named.check(address)
        assert "secret" not in str(caught.value)


def test_the_addresses_of_the_configuration_the_server_began_with_may_be_read(workspace):
    config = parse_config({"data": {"train_dir": "s3://bucket/train", "val_dir": None}})
    roots = DataRoots.of(workspace, []).with_configured(config)
    roots.check_config(config)
    roots.check_saved(config, [])
    with pytest.raises(StoreNotAllowed):
        roots.check("s3://bucket")  # its val/ is not the owner's wish
    other = parse_config({"data": {"train_dir": "s3://other/train"}})
    for check in (roots.check_config, lambda config: roots.check_saved(config, [])):
        with pytest.raises(StoreNotAllowed):
            check(other)


def test_the_folder_whose_parts_the_configuration_names_is_audited_as_a_whole_and_nothing_else_below_it(workspace):
    parts = {f"{part}_dir": f"s3://bucket/study/{part}" for part in ("train", "val", "test")}
    roots = DataRoots.of(workspace, []).with_configured(parse_config({"data": parts}))
    roots.check_job(jobs.Audit(workspace=str(workspace.root), data="s3://bucket/study"))
    for address in ("s3://bucket", "s3://bucket/study/other", "s3://bucket/studying"):
        with pytest.raises(StoreNotAllowed):
            roots.check(address)
