"""What BreastAI is made of: licences of all extras, known faults from a file, and what of OpenCV is called."""

import importlib.util
import json
import re
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from breastai import __file__ as package

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- faults --------------------------------------------------------------------------------------


def fault(name: str, events: list[dict[str, str]], versions: tuple[str, ...] = (), **more: object) -> dict[str, object]:
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    affected = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges, "versions": list(versions)}
    return {"id": "GHSA-1", "summary": "bad", "affected": [affected], **more}


@pytest.mark.parametrize(
    ("version", "known"),
    [("0.9", False), ("1.0", True), ("1.9.9", True), ("1.10", False), ("2.0rc1", False), ("2.0", True), ("2.4", True)],
)
def test_a_version_is_affected_from_what_introduced_a_fault_to_what_mended_it(version: str, known: bool) -> None:
    events = [{"introduced": "1.0"}, {"fixed": "1.10"}, {"introduced": "2.0"}, {"last_affected": "2.4"}]
    found = load("known_faults").known_faults([fault("Some_Package", events)], {"some-package": version})
    assert bool(found) is known


def test_a_fault_with_several_names_is_told_once_and_one_withdrawn_or_of_others_not_at_all() -> None:
    events = [{"introduced": "0"}]
    records = [
        fault("a", events, id="PYSEC-1", aliases=["CVE-1"]),
        fault("a", events, id="GHSA-2", aliases=["CVE-1"]),
        fault("a", events, id="GHSA-3", withdrawn="2026-01-01"),
        fault("b", events, id="GHSA-4"),
        fault("a", [{"introduced": "0"}, {"fixed": "1"}], versions=("1.post1",), id="GHSA-5"),
    ]
    found = load("known_faults").known_faults(records, {"a": "1.post1"})
    assert [row[2] for row in found] == ["CVE-1 PYSEC-1", "GHSA-5"]


def test_an_archive_of_osv_is_read_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("GHSA-1.json", json.dumps(fault("NumPy", [{"introduced": "0"}])))
    assert load("known_faults").main(str(archive)) == 1
    assert "GHSA-1  bad" in capsys.readouterr().out


def test_a_copy_of_openssl_in_a_wheel_is_found_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "some.libs").mkdir()
    (tmp_path / "some.libs" / "libcrypto-5409cd36.so.1.1").write_bytes(b"\x7fELF OpenSSL 1.1.1k  FIPS 25 Mar 2021\0")
    assert load("known_faults").openssl_copies(tmp_path) == {"some.libs": {"1.1.1k"}}


def test_images_are_decoded_from_memory_alone() -> None:
    """OpenCV's wheel and gdcm's carry an old OpenSSL for addresses and encryption; nothing of ours gets there."""
    for path in Path(package).parent.rglob("*.py"):
        assert not re.search(
            r"cv2\.(VideoCapture|imread\w*|FileStorage)\b|^\s*(import|from) gdcm\b", path.read_text(), re.M
        ), path


# --- licences ------------------------------------------------------------------------------------

PACKAGES = [
    {
        "name": "breastai",
        "version": "4",
        "requires_dist": [
            "base",
            "Extra_One>=1; extra == 'one'",
            "base; extra == 'two'",
            "other[more]; extra == 'two'",
        ],
    },
    {"name": "base", "version": "1", "license_expression": "MIT", "license": "x"},
    {"name": "extra-one", "version": "1", "license": "BSD 3-Clause\nCopyright", "requires_dist": ["deep"]},
    {
        "name": "deep",
        "version": "1",
        "classifier": ["License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
    },
    {
        "name": "other",
        "version": "1",
        "license": "UNKNOWN",
        "requires_dist": ["deep; extra == 'more'", "base; extra == 'x'"],
    },
]


def test_each_package_has_its_licence_and_the_extras_that_bring_it() -> None:
    assert load("licences").rows(PACKAGES, ["one", "two"]) == [
        ("base", "1", "MIT", ""),
        ("deep", "1", "GNU General Public License v3 (GPLv3)", "one two"),
        ("extra-one", "1", "BSD 3-Clause", "one"),
        ("other", "1", "", "two"),
    ]


def test_a_licence_that_none_may_have_fails_and_what_says_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    licences = load("licences")
    monkeypatch.setattr(licences, "chosen_packages", lambda extras: PACKAGES)
    assert licences.main(str(tmp_path / "licences.csv")) == 1
    told = capsys.readouterr().out
    assert "deep 1: GNU General" in told
    assert "other 1: says nothing" in told
    monkeypatch.setattr(licences, "chosen_packages", lambda extras: PACKAGES[:2])
    assert licences.main(str(tmp_path / "licences.csv")) == 0


@pytest.mark.parametrize("text", ["LGPL-2.1-only", "MIT", "GNU Lesser General Public License v3"])
def test_other_licences_may_be_had(text: str) -> None:
    assert not load("licences")._REFUSED.search(text)
