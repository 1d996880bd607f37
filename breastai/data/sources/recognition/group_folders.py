"""Folders around those of the classes, told by their names: parts, folds, scales, sites (towns, hospitals, devices, years), patients."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from breastai.data.sources.recognition.place_names import names_place, names_year
from breastai.domain.birads import are_categories
from breastai.domain.case_fields import in_words_of
from breastai.domain.class_words import canonical_class, split_of
from breastai.domain.text import Text

Kind = Literal["split", "fold", "scale", "view", "breast", "birads", "site", "patient"]

_FOLD = re.compile(r"(?:k[\W_]*|cv[\W_]*)?(?:folds?|split|pli|falte|cv)[\W_]*\d{1,2}", re.IGNORECASE)
# Magnifications, sizes of images, bands of age.
_SCALE = re.compile(
    r"\d+[\W_]*x|x[\W_]*\d+|(?:64|96|128|224|256|299|320|384|512|640|768|1024|2048)(?:[\W_]*x[\W_]*\d+)?(?:px)?|\d\d\s*[-–_]\s*\d\d",
    re.IGNORECASE,
)
_VIEW = re.compile(r"(?:[lr][\W_]?)?(?:cc|mlo|ml|lm|lmo|xccl|xccm)", re.IGNORECASE)
_AUGMENTED = re.compile(
    r"(?:data[\W_]*)?(?:aug(?:ment(?:ed|ation|es?|iert))?|synthetic|generated|gan|rotated|flipped)(?:[\W_]*(?:data|images?))?",
    re.IGNORECASE,
)
# Words over so many images each, of every class, are hardly patients; nor are any over so many more.
_MANY_OF_EACH_CLASS, _MANY_OF_A_PATIENT = 20, 100
_LEAST_SHARE = 0.95
_LISTED = 5


@dataclass(frozen=True)
class Groups:
    """What folders above the classes are: `fields` by role, and what of that is doubtful."""

    fields: Mapping[str, object] = field(default_factory=dict)
    doubts: tuple[Text, ...] = ()


def groups_above(paths: Sequence[Sequence[str]], level: int, classes: Sequence[str]) -> Groups:
    """Return what the folders above those of the classes are; `paths`: each image's folders, `level`: -1 the last of them.

    Patients below a site are told apart by both names: P01 of one hospital is not that of another.
    """
    kinds: dict[Kind, int] = {}
    at = level - 1
    while sum(len(path) >= -at for path in paths) > _LEAST_SHARE * len(paths):
        kind = _kind([path for path in paths if len(path) >= -at], at, level)
        if kind == "patient" and "patient" in kinds:
            kind = "site"
        if kind is not None:
            kinds.setdefault(kind, at)
        at -= 1
    names = {kind: sorted({path[at] for path in paths if len(path) >= -at}) for kind, at in kinds.items()}
    fields: dict[str, object] = {}
    doubts = []
    for kind, at in kinds.items():
        told = {"groups": names[kind][:_LISTED], "classes": list(classes), "folder": at}
        match kind:
            case "split":
                fields["split"] = {"folder": at, "values": {name: split_of(name) for name in names[kind]}}
            case "fold":
                fields["fold"] = {"folder": at}
                doubts.append(Text("doubt.folds_above_classes", {"count": len(names[kind]), "classes": list(classes)}))
            case "view" | "breast" | "birads":
                fields[kind] = {"folder": at}
            case "site":
                fields["site"] = {"folder": at}
                code = "sites_above_patients" if "patient" in kinds else "groups_above_classes"
                doubts.append(Text(f"doubt.{code}", told))
            case "scale":
                doubts.append(Text("doubt.scales_above_classes", told))
            case "patient":
                site = place if (place := kinds.get("site", 0)) < at else None
                fields["patient"] = _patient_rule(at, site)
                whose = {(path[at], "" if site is None else path[site]) for path in paths if len(path) >= -(site or at)}
                doubts.append(Text("doubt.patients_above_classes", {**told, "patients": len(whose)}))
    if copies := sorted({name for path in paths for name in path if _AUGMENTED.fullmatch(name.strip())}):
        doubts.append(Text("doubt.augmented_copies", {"folders": copies[:_LISTED]}))
    return Groups(fields, tuple(doubts))


def groups_of(paths: Sequence[Sequence[str]]) -> Groups:
    """Return what folders of images that lie in no class folders are: parts, folds or sites, by their names alone."""
    fields: dict[str, object] = {}
    doubts = []
    for level in range(1, 1 + min(map(len, paths), default=0)):
        names = {path[level - 1].strip() for path in paths}
        kind = _kind_by_names(names) if len(names) > 1 else None
        if kind == "split":
            fields.setdefault("split", {"folder": level, "values": {name: split_of(name) for name in sorted(names)}})
        elif kind in ("fold", "view", "breast"):
            fields.setdefault(kind, {"folder": level})
        elif kind == "site":
            fields.setdefault("site", {"folder": level})
            doubts.append(Text("doubt.folders_are_sites", {"groups": sorted(names)[:_LISTED]}))
    return Groups(fields, tuple(doubts))


def _patient_rule(at: int, site: int | None) -> dict[str, object]:
    """Return the rule of patients in the folders `at`, from the last; below a `site` with its name before theirs."""
    if site is None:
        return {"folder": at}
    between, below = "[^/]+/" * (at - site - 1), "[^/]+/" * (-at - 1)
    return {"path": rf"(?:^|/)([^/]+)/{between}([^/]+)/{below}[^/]+$", "expand": r"\1/\2"}


def _kind(paths: Sequence[Sequence[str]], at: int, level: int) -> Kind | None:
    """Return what the folders `at`, from the last, are above classes at `level`; None of one alone."""
    names = {path[at].strip() for path in paths}
    if len(names) < 2:
        return None
    if all(map(split_of, names)):
        return _kind_by_names(names)
    if (kind := _kind_by_names(names)) is not None:
        return kind
    if any(map(_AUGMENTED.fullmatch, names)):
        return None
    if all(any(sign.isdigit() for sign in name) for name in names):
        return "patient"
    inside: dict[str, set[str]] = {}
    for path in paths:
        inside.setdefault(path[at], set()).add(canonical_class(path[level]))
    many = _MANY_OF_EACH_CLASS if all(len(of) > 1 for of in inside.values()) else _MANY_OF_A_PATIENT
    return "site" if len(paths) >= many * len(names) else "patient"


def _kind_by_names(names: Collection[str]) -> Kind | None:
    """Return what folders are by their names alone; None where those tell nothing, or two mean the same part."""
    if all(map(split_of, names)):
        return "split" if len(set(map(split_of, names))) == len(names) else None
    if all(map(_FOLD.fullmatch, names)):
        return "fold"
    if all(map(_SCALE.fullmatch, names)):
        return "scale"
    if are_categories("", names):
        return "birads"
    if all(map(_VIEW.fullmatch, names)):
        return "view"
    if all(in_words_of("breast", name) in ("L", "R") and len(name) > 1 for name in names):
        return "breast"
    return "site" if all(names_year(name) or names_place(name) for name in names) else None
