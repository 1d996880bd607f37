"""The audit: faults in the images that would make a result a lie, found before the first epoch."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from breastai.clinical.audit_cache import AuditCache
from breastai.clinical.audit_findings import make_finding
from breastai.clinical.image_facts import ImageFacts, Pixels, facts_of, look_at_all
from breastai.clinical.image_findings import reading_faults
from breastai.clinical.intervals import number_clusters, wilson
from breastai.clinical.known_patients import across_patients, doubtful, within_patients
from breastai.clinical.shortcut_features import find_shortcuts
from breastai.data.decoders.bit_depth import depth_of_set
from breastai.data.duplicates.near_duplicates import Duplicates, compares_patients_alone, find_duplicates
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import by_file, file_of
from breastai.domain.errors import ImageUnreadable
from breastai.domain.records import Finding, TwinGroup
from breastai.domain.text import Text
from breastai.storage.span_trace import span

# The claim an evaluation is meant to support: a sensitivity near 0.9, known within this much either way.
CLAIMED_SENSITIVITY = 0.9
WIDEST_HALF_INTERVAL = 0.1
_SMALLEST_SIDE = 32
_MARKED_SHARE = 0.0003
_COLOURED_SHARE = 0.001
_STAINED_SHARE = 0.05
_IMBALANCE = 3.0


@dataclass(frozen=True)
class Audit:
    """What was found, the worst first, and every group of duplicates. `thumbnails`: of each image, by its content's hash;
    `bit_depth`: of the training images' files of 16 bits that do not say it."""

    findings: tuple[Finding, ...]
    groups: tuple[TwinGroup, ...]
    images: int
    thumbnails: Mapping[str, Pixels] = field(default_factory=dict)
    bit_depth: int | None = None


@dataclass(frozen=True, slots=True)
class _Image:
    file: str
    class_name: str
    split: str
    facts: ImageFacts
    patient: str | None


def audit(
    folders: Mapping[str, CaseTable],
    patients: Mapping[str, Sequence[str]] | None = None,
    *,
    seen: Sequence[ImageFacts | ImageUnreadable] | None = None,
    threads: int = 2,
    progress: Callable[[float], None] = lambda share: None,
    cache: AuditCache | None = None,
) -> Audit:
    """Return what is wrong with the images of `folders`, which go by the name of their split.

    The split is the folder's place below the data folder ("train", "val", "test"), or "" when there is but one.
    `patients`: for each split the patient of each of its files. `seen`: the facts of each image, folder after folder, or
    why there are none; found now where they are not given. `cache`: what earlier audits found of the same images.
    """
    listed = [(split, folder, number) for split, folder in folders.items() for number in range(len(folder))]
    names = [_name(split, folder.files[number]) for split, folder, number in listed]
    if seen is None:
        paths = [(folder.path(number), name) for (_, folder, number), name in zip(listed, names, strict=True)]
        seen = look_at_all(
            paths, threads, lambda share: progress(0.6 * share), facts_of if cache is None else cache.facts_of
        )
    images: list[_Image] = []
    broken = [
        _name(split, item.file) for split, folder in folders.items() for item in folder.skipped if not item.is_by_hand
    ]
    for (split, folder, number), name, facts in zip(listed, names, seen, strict=True):
        if isinstance(facts, ImageFacts):
            patient = patients[split][number] if patients is not None else None
            images.append(_Image(name, folder.class_names[folder.labels[number]], split, facts, patient))
        else:
            broken.append(name)
    known = [image.patient for image in images]
    with span("find duplicates"):
        duplicates = _find_duplicates(images, threads, lambda share: progress(0.6 + 0.4 * share), cache)
    # Known patients outrank likeness; but what shows nothing is the same whoever it is of.
    contents = [number if image.facts.blank else image.facts.pixel_hash for number, image in enumerate(images)]
    duplicates, same = within_patients(duplicates, known), across_patients(contents, known)
    masks = [_name(split, mask) for split, folder in folders.items() for mask in folder.masks]
    class_names = sorted({image.class_name for image in images})
    # The frames of one file look alike by their nature, and no split parts them.
    several = [group for group in duplicates.groups if len({file_of(images[number].file) for number in group}) > 1]
    groups = tuple(_group(images, group) for group in (*several, *same))
    depth = depth_of_set([image.facts.own_bits for image in images if image.split in ("train", "")])
    looked = [(image.file, image.facts) for image in images]
    findings = [
        *_about_twins(groups),
        *_about_comparing(known),
        *_about_doubt(images, (*several, *same)),
        *_about_patients(images),
        *_about_same_images(images, same),
        *_about_shortcuts(images, class_names, duplicates),
        *_about_single_images(images, class_names, broken, masks),
        *(make_finding(code, files, **params) for code, files, params in reading_faults(looked, depth)),
        *_about_counts(images, class_names, duplicates),
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    small = {image.facts.content_hash: image.facts.thumbnail for image in images}
    return Audit(tuple(findings), groups, len(images), small, depth)


def _find_duplicates(
    images: Sequence[_Image], threads: int, progress: Callable[[float], None], cache: AuditCache | None
) -> Duplicates:
    hashes, patients = [image.facts.content_hash for image in images], [image.patient for image in images]

    def find() -> Duplicates:
        thumbnails = [image.facts.thumbnail for image in images]
        return find_duplicates(thumbnails, hashes, patients=patients, threads=threads, progress=progress)

    return find() if cache is None else cache.duplicates(hashes, patients, find)


def _name(split: str, file: str) -> str:
    return f"{split}/{file}" if split else file


def _group(images: Sequence[_Image], numbers: Sequence[int]) -> TwinGroup:
    members = [images[number] for number in numbers]
    return TwinGroup(
        files=[image.file for image in members],
        classes=[image.class_name for image in members],
        splits=[image.split for image in members],
    )


def _about_twins(groups: Sequence[TwinGroup]) -> list[Finding]:
    findings: list[Finding] = []
    contradicting = [group for group in groups if group.contradicts]
    if contradicting:
        files = [file for group in contradicting for file in group.files]
        findings.append(make_finding("twins.contradicting", files, count=len(contradicting)))
    agreeing = [group for group in groups if not group.contradicts]
    if agreeing:
        files = [file for group in agreeing for file in group.files]
        findings.append(make_finding("twins.same_label", files, count=len(agreeing), images=len(files)))
    for split, other in _leaks({split for group in groups for split in group.splits}):
        leaking = [
            file
            for group in groups
            if other in group.splits
            for file, own in zip(group.files, group.splits, strict=True)
            if own == split
        ]
        if leaking:
            findings.append(make_finding("twins.across_splits", leaking, count=len(leaking), split=split, other=other))
    return findings


def _about_comparing(patients: Sequence[str | None]) -> list[Finding]:
    if not compares_patients_alone(patients):
        return []
    return [make_finding("twins.of_one_patient", images=len(patients), patients=len(set(patients)))]


def _about_doubt(images: Sequence[_Image], groups: Sequence[Sequence[int]]) -> list[Finding]:
    telling, doubted = doubtful(groups, [image.patient for image in images])
    if not doubted:
        return []
    files = [images[number].file for group in telling for number in group]
    alike, largest = len(set(files)), len(telling[0])
    return [
        make_finding("twins.doubtful", files, count=alike, images=len(images), groups=len(telling), largest=largest)
    ]


def _about_same_images(images: Sequence[_Image], groups: Sequence[Sequence[int]]) -> list[Finding]:
    files = [images[number].file for group in groups for number in group]
    return [make_finding("patients.same_image", files, count=len(files), groups=len(groups))] if groups else []


def _about_patients(images: Sequence[_Image]) -> list[Finding]:
    findings: list[Finding] = []
    for split, other in _leaks({image.split for image in images}):
        elsewhere = {image.patient for image in images if image.split == other and image.patient}
        shared = [image for image in images if image.split == split and image.patient in elsewhere]
        if shared:
            count = len({image.patient for image in shared})
            files = [image.file for image in shared]
            findings.append(make_finding("patients.across_splits", files, count=count, split=split, other=other))
    return findings


def _leaks(splits: set[str]) -> list[tuple[str, str]]:
    """Return the ways a case may leak: from the second split into the figures on the first."""
    return [
        (split, other)
        for split, other in (("val", "train"), ("test", "train"), ("test", "val"))
        if {split, other} <= splits
    ]


def _about_shortcuts(images: Sequence[_Image], class_names: Sequence[str], duplicates: Duplicates) -> list[Finding]:
    labels = np.array([class_names.index(image.class_name) for image in images], dtype=np.int64)
    if images and all(image.patient for image in images):
        clusters = number_clusters([str(image.patient) for image in images])
    else:
        clusters = duplicates.group_numbers(len(images))
    found = find_shortcuts([image.facts for image in images], labels, class_names, clusters)
    return [
        make_finding(
            "shortcut",
            feature=Text(f"shortcut.{shortcut.feature}"),
            class_name=shortcut.class_name,
            auc=shortcut.auc.value,
            low=shortcut.auc.low,
            high=shortcut.auc.high,
            n=shortcut.n,
            place=None if shortcut.place is None else list(shortcut.place),
        )
        for shortcut in found
    ]


def _about_single_images(
    images: Sequence[_Image], class_names: Sequence[str], broken: Sequence[str], masks: Sequence[str]
) -> list[Finding]:
    findings: list[Finding] = []
    if masks:
        findings.append(make_finding("masks.by_name", masks, count=len(masks)))
    if broken:
        findings.append(make_finding("images.broken", broken, count=len(broken)))
    blank = [image for image in images if image.facts.blank]
    two_valued = [image for image in images if image.facts.two_valued and not image.facts.blank]
    tests: dict[str, list[_Image]] = {
        "images.blank": blank,
        "masks.by_content": two_valued,
        "images.tiny": [image for image in images if min(image.facts.height, image.facts.width) < _SMALLEST_SIDE],
    }
    # Among stained slides the pale ones would look like grey images with marks.
    if images and np.median([image.facts.colour for image in images]) < _STAINED_SHARE:
        tests["marks.burned_in"] = [
            image for image in images if image.facts.mark_share > _MARKED_SHARE or image.facts.says_burned_in
        ]
        tests["marks.colour"] = [image for image in images if image.facts.colour > _COLOURED_SHARE]
    for code, members in tests.items():
        if members:
            totals = Counter(image.class_name for image in members)
            by_class = ", ".join(f"{name} {totals[name]}" for name in class_names)
            files = [image.file for image in members]
            findings.append(make_finding(code, files, count=len(files), by_class=by_class, pixels=_SMALLEST_SIDE))
    return findings


def _about_counts(images: Sequence[_Image], class_names: Sequence[str], duplicates: Duplicates) -> list[Finding]:
    findings: list[Finding] = []
    totals = Counter(image.class_name for image in images)
    if len(totals) > 1:
        (largest, most), *_, (smallest, fewest) = totals.most_common()
        if most / fewest >= _IMBALANCE:
            findings.append(make_finding("classes.imbalanced", largest=largest, smallest=smallest, ratio=most / fewest))
    few = _few_cases(images, class_names, duplicates)
    if few:
        by_split = {split: [row for row in few if row["split"] == split] for split in ("val", "test")}
        listed = "; ".join(
            f"{split}: " + ", ".join(f"{row['class_name']} {row['n']}" for row in rows)
            for split, rows in by_split.items()
            if rows
        )
        fewest = min(int(row["n"]) for row in few)
        findings.append(
            make_finding(
                "cases.too_few",
                listed=listed,
                cases=few,
                n=fewest,
                claimed=CLAIMED_SENSITIVITY,
                half_width=half_interval(fewest),
                needed=cases_needed(),
                wished=WIDEST_HALF_INTERVAL,
            )
        )
    return findings


def _few_cases(
    images: Sequence[_Image], class_names: Sequence[str], duplicates: Duplicates
) -> list[dict[str, str | int]]:
    """Return each class of val and test that has too few cases: a patient, or else a group of duplicates, is one."""
    twins, wholes = duplicates.group_numbers(len(images)), by_file([image.file for image in images])
    few: list[dict[str, str | int]] = []
    for split in [split for split in ("val", "test") if any(image.split == split for image in images)]:
        for class_name in class_names:
            cases = {
                image.patient or whole or int(group)
                for image, group, whole in zip(images, twins, wholes or [""] * len(images), strict=True)
                if image.split == split and image.class_name == class_name
            }
            if half_interval(len(cases)) > WIDEST_HALF_INTERVAL:
                few.append({"split": split, "class_name": class_name, "n": len(cases)})
    return few


def half_interval(n: int, share: float = CLAIMED_SENSITIVITY) -> float:
    """Return half the width of Wilson's interval around `share` of `n` cases; 0.5 without a case."""
    estimate = wilson(share * n, n)
    if estimate.low is None or estimate.high is None:
        return 0.5
    return (estimate.high - estimate.low) / 2


def cases_needed(share: float = CLAIMED_SENSITIVITY, half_width: float = WIDEST_HALF_INTERVAL) -> int:
    """Return the fewest cases whose interval around `share` is at most this wide either way."""
    n = 1
    while half_interval(n, share) > half_width:
        n += 1
    return n
