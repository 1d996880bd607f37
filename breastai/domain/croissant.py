"""A split as Croissant 1.1 metadata (http://mlcommons.org/croissant/1.1): what other tools read a data set by.

It names no image: its records are those of the split.json that lies beside it.
"""

from typing import Any

from breastai.domain.records import SplitFile

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_UNKNOWN = "unknown"
_SPLIT, _CASES, _CLASSES = "split", "cases", "classes"
# The context that the specification gives for documents of this kind, as far as its terms are used here.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "includes": "cr:includes",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "source": "cr:source",
}
# What each record of the cases holds: its field, what it is, and where it stands in a case of split.json.
_FIELDS = (
    ("file", "sc:Text", "The image, by its path below the root of the data set."),
    ("label", "sc:Text", "Its class."),
    ("part", "cr:Split", "train, val or left_out."),
    ("sha256", "sc:Text", "Hash of the content of its file."),
)


def croissant_document(split: SplitFile, sha256: str, created: str) -> dict[str, Any]:
    """Return the metadata of a split; `sha256` of the file split.json that holds it, `created` the day as ISO 8601."""
    described = split.dataset
    name = "dataset" if described is None else described.name
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "description": str(split.description),
        "license": (described and described.licence) or _UNKNOWN,
        "creator": {"@type": "sc:Organization", "name": _UNKNOWN},
        "url": f"urn:sha256:{sha256}",
        "datePublished": created,
        "version": "1.0.0",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": _SPLIT,
                "name": "split.json",
                "contentUrl": "split.json",
                "encodingFormat": "application/json",
                "sha256": sha256,
            }
        ],
        "recordSet": [_classes(split), _cases()],
    }
    if described is not None and described.citation:
        document["citeAs"] = described.citation
    return document


def _classes(split: SplitFile) -> dict[str, Any]:
    key = f"{_CLASSES}/name"
    return {
        "@type": "cr:RecordSet",
        "@id": _CLASSES,
        "name": _CLASSES,
        "dataType": "sc:Enumeration",
        "key": {"@id": key},
        "field": [{"@type": "cr:Field", "@id": key, "name": "name", "dataType": "sc:Text"}],
        "data": [{key: name} for name in split.class_names],
    }


def _cases() -> dict[str, Any]:
    fields: list[dict[str, Any]] = [
        {
            "@type": "cr:Field",
            "@id": f"{_CASES}/{name}",
            "name": name,
            "description": description,
            "dataType": kind,
            "source": {"fileObject": {"@id": _SPLIT}, "extract": {"jsonPath": f"$.cases[*].{name}"}},
        }
        for name, kind, description in _FIELDS
    ]
    fields[1]["references"] = {"field": {"@id": f"{_CLASSES}/name"}}
    return {"@type": "cr:RecordSet", "@id": _CASES, "name": _CASES, "key": {"@id": f"{_CASES}/file"}, "field": fields}
