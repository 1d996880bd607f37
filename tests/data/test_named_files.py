"""Files as tables name them: which way of naming goes before which, and what is meant by none."""

import pytest

from breastai.data.named_files import file_key, has_image_ending, match_files


@pytest.mark.parametrize(
    ("files", "named", "meant"),
    [
        # The whole path, then the longest end of it.
        (["a/1.png", "b/1.png"], ["b/1.png"], {"b/1.png": "b/1.png"}),
        (["a/1.png", "b/1.png"], ["x/b/1.png"], {"b/1.png": "x/b/1.png"}),
        (["a/1.png", "b/1.png"], ["1.png"], {}),
        (["a/1.png"], ["1.png", "a/1.png"], {"a/1.png": "a/1.png"}),
        (["a/1.png"], ["x/1.png", "y/a/1.png"], {"a/1.png": "y/a/1.png"}),
        (["a/1.png"], ["x/1.png", "y/1.png"], {}),
        (["a/b.png"], ["ab.png"], {}),
        # Without an ending, where the name has none.
        (["a/1.png"], ["1"], {"a/1.png": "1"}),
        (["a/x.1.png"], ["x.1"], {"a/x.1.png": "x.1"}),
        (["a/1.png"], ["1.txt"], {}),
        # Leading zeros that a spreadsheet lost.
        (["007.png"], ["7"], {"007.png": "7"}),
        (["007.png"], ["7.png"], {"007.png": "7.png"}),
        (["a/007.png"], ["a/7"], {"a/007.png": "a/7"}),
        (["000.png"], ["0"], {"000.png": "0"}),
        (["007.png", "07.png"], ["7"], {}),
        (["007.png"], ["07"], {}),  # some of its zeros are there: it has lost none
        (["P007.png"], ["P7"], {}),
        (["7.png"], ["007"], {}),
        # Another case, another ending.
        (["A1.PNG"], ["a1.png"], {"A1.PNG": "a1.png"}),
        (["a1.dcm"], ["A1.png"], {"a1.dcm": "A1.png"}),
        (["a1.dcm", "a1.png"], ["a1.png"], {"a1.png": "a1.png"}),
        (["a1.dcm", "a1.tif"], ["a1.png"], {}),
        # A name that means one file is not left for another.
        (["1.png", "01.png"], ["1.png"], {"1.png": "1.png"}),
        (["1.png", "01.png"], ["1", "01"], {"1.png": "1", "01.png": "01"}),
        ([], ["1"], {}),
        (["1.png"], [], {}),
    ],
)
def test_a_name_means_the_one_file_that_fits_it_best(files: list[str], named: list[str], meant: dict[str, str]) -> None:
    assert match_files(files, named) == meant
    assert match_files(files[::-1], named[::-1]) == meant


def test_a_path_is_compared_with_its_last_folders_alone() -> None:
    deep = "/".join("abcdefghij")
    assert match_files([f"{deep}/1.png"], [f"x/{deep[4:]}/1.png"]) == {f"{deep}/1.png": f"x/{deep[4:]}/1.png"}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a\\b.png", "a/b.png"),
        ("./a.png", "a.png"),
        (".\\a.png", "a.png"),
        ("e\u0301.png", "\u00e9.png"),
        ("s3://bucket/a.png?key=1", "s3://bucket/a.png"),
        ("what?.png", "what?.png"),
    ],
)
def test_a_file_is_called_as_systems_write_it(written: str, key: str) -> None:
    assert file_key(written) == key


@pytest.mark.parametrize(
    ("name", "image"), [("a.PNG", True), ("a.dcm", True), ("a", False), ("a.1", False), ("x.txt", False)]
)
def test_a_name_ends_as_an_image_or_not(name: str, image: bool) -> None:
    assert has_image_ending(name) == image
