"""The audit: faults in the images that would make a result a lie, found before the first epoch."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from breastai.clinical.image_facts import ImageFacts, Pixels, look_at_all
from breastai.clinical.image_findings import READING_FAULTS, reading_faults
from breastai.clinical.intervals import number_clusters, wilson
from breastai.clinical.known_patients import across_patients, doubtful, within_patients
from breastai.clinical.shortcut_features import find_shortcuts
from breastai.data.decoders.bit_depth import depth_of_set
from breastai.data.duplicates.near_duplicates import Duplicates, find_duplicates
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import by_file, file_of
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

Severity = Literal["error", "warning", "info"]

# The claim an evaluation is meant to support: a sensitivity near 0.9, known within this much either way.
CLAIMED_SENSITIVITY = 0.9
WIDEST_HALF_INTERVAL = 0.1
_SMALLEST_SIDE = 32
_MARKED_SHARE = 0.0003
_COLOURED_SHARE = 0.001
_STAINED_SHARE = 0.05
_IMBALANCE = 3.0


class Fault(NamedTuple):
    """A row of FAULTS. `message` is a template for the finding's params; `why` and `advice` stand as they are."""

    severity: Severity
    message: str
    why: str
    advice: str


FAULTS: Mapping[str, Fault] = {
    "twins.contradicting": Fault(
        "error",
        "{count} groups of identical or near-identical images carry different labels.",
        "At least one label of each group is wrong, or the classes overlap; the model is taught both.",
        "Look at each group with someone who can tell, and correct or remove the wrong ones.",
    ),
    "twins.across_splits": Fault(
        "error",
        "{count} images of {split} have a twin in {other}.",
        "The model has seen these images in training, so the figures on them flatter.",
        "Keep each group on one side: data.on_leak does it (group, exclude), or move the files.",
    ),
    "patients.across_splits": Fault(
        "error",
        "{count} patients of {split} are in {other} too.",
        "Images of one patient are alike; figures on patients seen in training flatter.",
        "Move all images of a patient to one side; until then data.on_leak (group, exclude) leaves them out of training.",
    ),
    "twins.doubtful": Fault(
        "warning",
        "{count} of {images} images stand in groups of near-duplicates, {largest} in the largest group.",
        "So many are rare among images of different patients: the likeness may be of the background, of marks or of the "
        "device rather than of the tissue.",
        "Look at the pairs. Real duplicates: set data.on_leak to group or exclude. Different patients: give the patient "
        "rule, or set data.on_leak to continue.",
    ),
    "patients.same_image": Fault(
        "error",
        "{count} images stand under more than one patient with identical content.",
        "An image shows one patient: at least one of the names is wrong, or one person has two numbers.",
        "Find out whose images they are; correct the names or the patient table, or remove the copies.",
    ),
    "twins.same_label": Fault(
        "warning",
        "{images} images form {count} groups of identical or near-identical ones.",
        "Split apart they leak from training into test; counted singly they narrow intervals falsely.",
        "Keep groups whole in any split; BreastAI's own splits do.",
    ),
    "shortcut": Fault(
        "warning",
        "{feature}: this alone tells {class_name} from the rest, with an AUC of {auc:.2f} ({low:.2f} to {high:.2f}).",
        "A network can learn this in place of the tissue, and fails where it does not hold.",
        "Make the classes alike in this respect, or show on other data that the model does not depend on it.",
    ),
    "masks.by_name": Fault(
        "info",
        "{count} files are masks or crops of other images, by name, folder, header or pixels, and are left out.",
        "A mask among the images tells the class by itself, and a crop is its image a second time.",
        "Nothing to do; move them elsewhere to silence this. If they are the images, set data.masks to keep.",
    ),
    "masks.by_content": Fault(
        "warning",
        "{count} images have only two grey values, as masks have: they are left out of training and evaluation.",
        "A mask among the images tells the class by itself.",
        "Look at them, and move masks out of the class folders; if they are the images, set data.masks to keep.",
    ),
    "images.broken": Fault(
        "warning",
        "{count} files can't be used as images.",
        "They are left out, which may change who is studied.",
        "Replace them with sound copies, or remove them.",
    ),
    **{code: Fault(*row) for code, row in READING_FAULTS.items()},
    "images.blank": Fault(
        "warning",
        "{count} images are blank or nearly so; training leaves them out.",
        "They show nothing that could be learnt but the class of their folder.",
        "Remove them, or replace them with the right ones.",
    ),
    "images.tiny": Fault(
        "warning",
        "{count} images are smaller than {pixels} pixels on a side.",
        "Enlarged to the network's input they are mostly blur.",
        "Get them in full size, or remove them.",
    ),
    "marks.burned_in": Fault(
        "info",
        "{count} images seem to carry burned-in text or calipers (by class: {by_class}).",
        "Someone who knew the answer has drawn them; a network can read them.",
        "Export images without overlays where the device allows it.",
    ),
    "marks.colour": Fault(
        "info",
        "{count} images have coloured parts (by class: {by_class}).",
        "Doppler and coloured marks are set by someone who already suspects something.",
        "Use greyscale images for all cases, or for none.",
    ),
    "classes.imbalanced": Fault(
        "info",
        "{largest} has {ratio:.1f} times as many images as {smallest}.",
        "Accuracy then says little; the rare class decides how sure the figures can be.",
        "Read the figures of each class; the weighted sampler is on by default.",
    ),
    "cases.too_few": Fault(
        "warning",
        "Few independent cases ({listed}): with {n} a sensitivity of {claimed:.0%} would be known to within "
        "{half_width:.0%} only; {needed} of a class are needed for {wished:.0%}.",
        "With so few cases a good and a bad model can't be told apart.",
        "Add cases of these classes, or claim less.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """Something found. `files` are relative to the data folder; `params` are fit for JSON."""

    code: str
    severity: Severity
    message: str
    why: str
    advice: str
    files: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TwinGroup:
    """Images that are twins of each other: for each its file, its class and its split."""

    files: tuple[str, ...]
    classes: tuple[str, ...]
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What was found, the worst first, and every group of duplicates. `thumbnails`: of each image, by its content's hash;
    `bit_depth`: of the training images' files of 16 bits that do not say it."""

    findings: tuple[Finding, ...]
    groups: tuple[TwinGroup, ...]
    images: int
    thumbnails: Mapping[str, Pixels] = field(default_factory=dict)
    bit_depth: int | None = None


@dataclass(frozen=True)
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
) -> Audit:
    """Return what is wrong with the images of `folders`, which go by the name of their split.

    The split is the folder's place below the data folder ("train", "val", "test"), or "" when there is but one.
    `patients`: for each split the patient of each of its files. `seen`: the facts of each image, folder after folder, or
    why there are none; found now where they are not given.
    """
    listed = [(split, folder, number) for split, folder in folders.items() for number in range(len(folder))]
    names = [_name(split, folder.files[number]) for split, folder, number in listed]
    paths = [(folder.path(number), name) for (_, folder, number), name in zip(listed, names, strict=True)]
    if seen is None:
        seen = look_at_all(paths, threads, lambda share: progress(0.6 * share))
    images: list[_Image] = []
    broken = [_name(split, item.file) for split, folder in folders.items() for item in folder.skipped]
    for (split, folder, number), name, facts in zip(listed, names, seen, strict=True):
        if isinstance(facts, ImageFacts):
            patient = patients[split][number] if patients is not None else None
            images.append(_Image(name, folder.class_names[folder.labels[number]], split, facts, patient))
        else:
            broken.append(name)
    duplicates = find_duplicates(
        [image.facts.thumbnail for image in images],
        [image.facts.content_hash for image in images],
        patients=[image.patient for image in images],
        threads=threads,
        progress=lambda share: progress(0.6 + 0.4 * share),
    )
    # Known patients outrank likeness; but what shows nothing is the same whoever it is of.
    known = [image.patient for image in images]
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
        *_about_doubt(images, (*several, *same)),
        *_about_patients(images),
        *_about_same_images(images, same),
        *_about_shortcuts(images, class_names, duplicates),
        *_about_single_images(images, class_names, broken, masks),
        *(_finding(code, files, **params) for code, files, params in reading_faults(looked, depth)),
        *_about_counts(images, class_names, duplicates),
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    findings.sort(key=lambda finding: order[finding.severity])
    small = {image.facts.content_hash: image.facts.thumbnail for image in images}
    return Audit(tuple(findings), groups, len(images), small, depth)


def _finding(code: str, files: Sequence[str] = (), **params: Any) -> Finding:
    fault = FAULTS[code]
    message = fault.message.format(**params)
    return Finding(code, fault.severity, message, fault.why, fault.advice, tuple(files), params)


def _name(split: str, file: str) -> str:
    return f"{split}/{file}" if split else file


def _group(images: Sequence[_Image], numbers: Sequence[int]) -> TwinGroup:
    members = [images[number] for number in numbers]
    return TwinGroup(
        tuple(image.file for image in members),
        tuple(image.class_name for image in members),
        tuple(image.split for image in members),
    )


def _about_twins(groups: Sequence[TwinGroup]) -> list[Finding]:
    findings: list[Finding] = []
    contradicting = [group for group in groups if len(set(group.classes)) > 1]
    if contradicting:
        files = [file for group in contradicting for file in group.files]
        findings.append(_finding("twins.contradicting", files, count=len(contradicting)))
    agreeing = [group for group in groups if len(set(group.classes)) == 1]
    if agreeing:
        files = [file for group in agreeing for file in group.files]
        findings.append(_finding("twins.same_label", files, count=len(agreeing), images=len(files)))
    for split, other in _leaks({split for group in groups for split in group.splits}):
        leaking = [
            file
            for group in groups
            if other in group.splits
            for file, own in zip(group.files, group.splits, strict=True)
            if own == split
        ]
        if leaking:
            findings.append(_finding("twins.across_splits", leaking, count=len(leaking), split=split, other=other))
    return findings


def _about_doubt(images: Sequence[_Image], groups: Sequence[Sequence[int]]) -> list[Finding]:
    telling, doubted = doubtful(groups, [image.patient for image in images])
    if not doubted:
        return []
    files = [images[number].file for group in telling for number in group]
    alike, largest = len(set(files)), len(telling[0])
    return [_finding("twins.doubtful", files, count=alike, images=len(images), groups=len(telling), largest=largest)]


def _about_same_images(images: Sequence[_Image], groups: Sequence[Sequence[int]]) -> list[Finding]:
    files = [images[number].file for group in groups for number in group]
    return [_finding("patients.same_image", files, count=len(files), groups=len(groups))] if groups else []


def _about_patients(images: Sequence[_Image]) -> list[Finding]:
    findings: list[Finding] = []
    for split, other in _leaks({image.split for image in images}):
        elsewhere = {image.patient for image in images if image.split == other and image.patient}
        shared = [image for image in images if image.split == split and image.patient in elsewhere]
        if shared:
            count = len({image.patient for image in shared})
            files = [image.file for image in shared]
            findings.append(_finding("patients.across_splits", files, count=count, split=split, other=other))
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
        _finding(
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
        findings.append(_finding("masks.by_name", masks, count=len(masks)))
    if broken:
        findings.append(_finding("images.broken", broken, count=len(broken)))
    blank = [image for image in images if image.facts.blank]
    tests: dict[str, list[_Image]] = {
        "images.blank": blank,
        "masks.by_content": [image for image in images if image.facts.two_valued and image not in blank],
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
            findings.append(_finding(code, files, count=len(files), by_class=by_class, pixels=_SMALLEST_SIDE))
    return findings


def _about_counts(images: Sequence[_Image], class_names: Sequence[str], duplicates: Duplicates) -> list[Finding]:
    findings: list[Finding] = []
    totals = Counter(image.class_name for image in images)
    if len(totals) > 1:
        (largest, most), *_, (smallest, fewest) = totals.most_common()
        if most / fewest >= _IMBALANCE:
            findings.append(_finding("classes.imbalanced", largest=largest, smallest=smallest, ratio=most / fewest))
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
            _finding(
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
