"""Beside a split lies what other tools read it by: Croissant 1.1, by the rules of its specification."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from breastai.domain.dataset_description import parse_description
from breastai.domain.records import SplitCase, SplitFile
from breastai.storage.split_records import save_split
from breastai.storage.workspace import Workspace

DESCRIPTION = parse_description(
    {
        "name": "busi",
        "root": "data/busi",
        "fields": {"label": {"folder": 1}},
        "licence": "CC BY 4.0",
        "citation": "Al-Dhabyani et al. 2020",
    }
)
CASES = [
    SplitCase(folder="train", file=f"{label}/{label}_1.png", label=label, sha256="0" * 64, part="train")
    for label in ("benign", "malignant")
]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    split = SplitFile(
        description="as given",
        seed=1,
        on_leak="group",
        class_names=["benign", "malignant"],
        dataset=DESCRIPTION,
        cases=CASES,
    )
    path = save_split(Workspace.open(tmp_path), "run", split)
    found: dict[str, Any] = json.loads(path.with_name("croissant.json").read_text())
    return found, path


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from nodes(part)


def test_all_that_the_specification_requires_is_there(saved: tuple[dict[str, Any], Path]) -> None:
    document, path = saved
    required = {"@context", "@type", "conformsTo", "name", "description", "license", "creator", "url", "datePublished"}
    assert required <= document.keys() and all(document[key] for key in required)
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert (document["license"], document["citeAs"]) == ("CC BY 4.0", "Al-Dhabyani et al. 2020")
    (file,) = document["distribution"]
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (path.parent / file["contentUrl"]) == path


def test_each_name_is_used_once_and_every_reference_leads_somewhere(saved: tuple[dict[str, Any], Path]) -> None:
    document, _ = saved
    body = {key: value for key, value in document.items() if key != "@context"}
    defined = [node["@id"] for node in nodes(body) if "@id" in node and "@type" in node]
    assert len(defined) == len(set(defined))
    assert {node["@id"] for node in nodes(body) if "@id" in node and "@type" not in node} <= set(defined)
    kinds = {node["@type"] for node in nodes(body) if "@type" in node}
    assert kinds == {"sc:Dataset", "sc:Organization", "cr:FileObject", "cr:RecordSet", "cr:Field"}


def test_its_fields_find_the_cases_in_the_split_and_name_no_image_themselves(
    saved: tuple[dict[str, Any], Path],
) -> None:
    document, path = saved
    cases = json.loads(path.read_text())["cases"]
    classes, records = document["recordSet"]
    for field in records["field"]:
        name = field["source"]["extract"]["jsonPath"].removeprefix("$.cases[*].")
        assert [case[name] for case in cases]
    assert [next(iter(row.values())) for row in classes["data"]] == ["benign", "malignant"]
    assert "benign_1.png" not in json.dumps(document)
