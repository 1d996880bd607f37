"""Made-up patients: the tissue and lesions of a breast with a benign, a malignant or no lesion, and views of it.

Nothing in them comes from a patient. A benign lesion is smooth, wider than tall and brightens what lies behind
it; a malignant one is irregular, taller than wide and casts a shadow. Each sign fails now and then, and
normal breasts hold structures that look like lesions, so a model has to weigh the signs.
"""

from dataclasses import dataclass, replace

import numpy as np

from breastai.data.phantoms.phantom_ultrasound import Map, Scanner, draw_scanner, scan_image, smooth_field

CLASS_NAMES = ("benign", "malignant", "normal")

# How hard the phantoms are. The probability that one sign of a lesion is that of the other class:
ATYPICAL_SIGN = 0.08
# ... that a breast of any class holds a fat lobule that looks like a lesion:
DECOY = 0.45
# ... that a ligament or rib casts a shadow of its own:
STRAY_SHADOW = 0.4
# Contrast of a lesion to the tissue around it, in decibels, from faint to plain:
LESION_CONTRAST_DB = (-20.0, -10.0)
DECOY_CONTRAST_DB = (-11.0, -4.0)

_OUTLINE_STEPS = 1024


@dataclass(frozen=True)
class Lesion:
    """A lesion; lengths are shares of the image's side, angles in radians, strengths in decibels."""

    x: float
    y: float
    radius: float
    tallness: float
    tilt: float
    contrast_db: float
    irregularity: float
    spicules: int
    edge: float
    halo_db: float
    texture_db: float
    behind_db: float
    outline_seed: int


@dataclass(frozen=True)
class Patient:
    """What the images of one patient share."""

    scanner: Scanner
    fat: float
    gland: float
    muscle: float
    gland_db: float
    fat_db: float
    lobulation: float
    tissue_seed: int
    lesion: Lesion | None
    decoy: Lesion | None
    stray_shadow: float | None


def draw_patient(class_name: str, rng: np.random.Generator) -> Patient:
    """Return a random patient of one of CLASS_NAMES."""
    fat = float(rng.uniform(0.12, 0.28))
    gland = fat + float(rng.uniform(0.28, 0.45))
    muscle = min(0.95, gland + float(rng.uniform(0.05, 0.18)))
    return Patient(
        scanner=draw_scanner(rng),
        fat=fat,
        gland=gland,
        muscle=muscle,
        gland_db=float(rng.uniform(-6, -1)),
        fat_db=float(rng.uniform(-13, -8)),
        lobulation=float(rng.uniform(0.8, 2.5)),
        tissue_seed=int(rng.integers(2**31)),
        lesion=_draw_lesion(class_name, fat, gland, rng) if class_name != "normal" else None,
        decoy=_draw_decoy(fat, gland, rng) if rng.random() < DECOY else None,
        stray_shadow=float(rng.uniform(0.05, 0.95)) if rng.random() < STRAY_SHADOW else None,
    )


def image_of(patient: Patient, rng: np.random.Generator, image_size: int) -> np.ndarray:
    """Return one view of a patient: the probe is held a little differently each time."""
    shape = (image_size, image_size)
    rows, columns = np.mgrid[0:image_size, 0:image_size].astype(np.float32) / image_size
    tissue = np.random.default_rng(patient.tissue_seed)
    shift = int(rng.integers(0, image_size // 8 + 1))
    wide = (image_size, image_size + image_size // 8)
    waves = [smooth_field(tissue, (4, wide[1]), 3)[1][shift : shift + image_size] * 0.02 for _ in range(3)]
    lobules, streaks, grain = (
        smooth_field(tissue, wide, cells)[:, shift : shift + image_size] for cells in (7, 16, 24)
    )
    press = float(rng.normal(1, 0.05))
    fat, gland, muscle = (
        press * place + wave for place, wave in zip((patient.fat, patient.gland, patient.muscle), waves, strict=True)
    )
    echo_db = _layers(rows, fat, gland, muscle, patient)
    echo_db += patient.lobulation * lobules + 1.2 * grain
    # Ligaments: bright lines between lobules, above the muscle.
    echo_db += 6 * np.exp(-np.square(streaks / 0.12)) * (rows < gland) * (lobules > 0)
    attenuation_db = np.zeros(shape, dtype=np.float32)
    for structure in (patient.decoy, patient.lesion):
        if structure is not None:
            _add_lesion(echo_db, attenuation_db, rows, columns, _seen_again(structure, rng), patient.gland_db)
    if patient.stray_shadow is not None:
        _add_stray_shadow(attenuation_db, rows, columns, patient.stray_shadow + float(rng.normal(0, 0.05)), fat, rng)
    scanner = replace(patient.scanner, gain_db=patient.scanner.gain_db + float(rng.normal(0, 0.7)))
    return scan_image(echo_db.astype(np.float32), attenuation_db, scanner, rng)


def _layers(rows: Map, fat: Map, gland: Map, muscle: Map, patient: Patient) -> Map:
    """Return the echo strength of skin, fat, gland, the fat behind it and muscle, by depth."""
    echo_db = np.where(rows < fat, patient.fat_db, patient.gland_db)
    echo_db = np.where(rows > gland, patient.fat_db + 1, echo_db)
    fibres = 3 * np.sin(2 * np.pi * 28 * (rows - muscle))
    echo_db = np.where(rows > muscle, patient.fat_db - 2 + fibres, echo_db)
    echo_db = np.where(rows < 0.035, 1.0, echo_db)
    for interface, bright_db in ((fat, 4.0), (muscle, 9.0)):
        echo_db = echo_db + bright_db * np.exp(-np.square((rows - interface) / 0.006))
    return np.asarray(echo_db, dtype=np.float32)


def _draw_lesion(class_name: str, fat: float, gland: float, rng: np.random.Generator) -> Lesion:
    """Return a lesion whose signs are each those of its class, but for ATYPICAL_SIGN."""

    def looks_malignant() -> bool:
        return bool((class_name == "malignant") != (rng.random() < ATYPICAL_SIGN))

    tall, irregular, shadowing, textured = (looks_malignant() for _ in range(4))
    radius = float(np.clip(rng.lognormal(np.log(0.12), 0.3), 0.06, 0.21))
    return Lesion(
        x=float(rng.uniform(0.25, 0.75)),
        y=float(np.clip(rng.uniform(fat, gland), 0.12 + radius, 0.75)),
        radius=radius,
        tallness=float(rng.normal(1.08, 0.16) if tall else rng.normal(0.68, 0.11)),
        tilt=float(rng.normal(0, 0.25)),
        contrast_db=float(rng.uniform(*LESION_CONTRAST_DB)),
        irregularity=float(rng.uniform(0.1, 0.3) if irregular else rng.uniform(0, 0.06)),
        spicules=int(rng.integers(7, 14)) if irregular else int(rng.integers(2, 4)),
        edge=float(rng.uniform(0.1, 0.3) if irregular else rng.uniform(0.04, 0.14)),
        halo_db=float(rng.uniform(0, 5)),
        texture_db=float(rng.uniform(1.5, 4) if textured else rng.uniform(0, 2)),
        behind_db=float(rng.normal(-8, 3) if shadowing else rng.normal(4, 2)),
        outline_seed=int(rng.integers(2**31)),
    )


def _draw_decoy(fat: float, gland: float, rng: np.random.Generator) -> Lesion:
    """Return a fat lobule or duct: darker than the gland, without effect on what lies behind."""
    return Lesion(
        x=float(rng.uniform(0.1, 0.9)),
        y=float(rng.uniform(fat, gland)),
        radius=float(rng.uniform(0.03, 0.11)),
        tallness=float(rng.uniform(0.3, 0.9)),
        tilt=float(rng.normal(0, 0.4)),
        contrast_db=float(rng.uniform(*DECOY_CONTRAST_DB)),
        irregularity=float(rng.uniform(0, 0.12)),
        spicules=int(rng.integers(2, 6)),
        edge=float(rng.uniform(0.08, 0.3)),
        halo_db=float(rng.uniform(0, 4)),
        texture_db=float(rng.uniform(0, 3)),
        behind_db=float(rng.normal(0, 1)),
        outline_seed=int(rng.integers(2**31)),
    )


def _seen_again(lesion: Lesion, rng: np.random.Generator) -> Lesion:
    """Return `lesion` as another section shows it."""
    return replace(
        lesion,
        x=lesion.x + float(rng.normal(0, 0.06)),
        y=lesion.y + float(rng.normal(0, 0.02)),
        radius=lesion.radius * float(rng.uniform(0.85, 1.1)),
        tallness=lesion.tallness * float(rng.uniform(0.9, 1.1)),
        tilt=lesion.tilt + float(rng.normal(0, 0.1)),
    )


def _add_lesion(echo_db: Map, attenuation_db: Map, rows: Map, columns: Map, lesion: Lesion, around_db: float) -> None:
    """Draw `lesion` into the maps, in place."""
    outline = np.random.default_rng(lesion.outline_seed)
    cosine, sine = np.cos(lesion.tilt), np.sin(lesion.tilt)
    right, down = columns - lesion.x, rows - lesion.y
    # Axes whose product is radius squared and whose ratio is the tallness.
    wide, tall = lesion.radius / np.sqrt(lesion.tallness), lesion.radius * np.sqrt(lesion.tallness)
    across, along = (cosine * right + sine * down) / wide, (cosine * down - sine * right) / tall
    distance, angle = np.hypot(across, along), np.arctan2(along, across)
    boundary = _outline(lesion, outline)[(angle * (_OUTLINE_STEPS / (2 * np.pi))).astype(np.int64)]
    inside = 1 / (1 + np.exp(np.clip((distance - boundary) / (lesion.edge / 3), -30, 30)))
    texture = smooth_field(outline, (echo_db.shape[0], echo_db.shape[1]), 30)
    inner_db = around_db + lesion.contrast_db + lesion.texture_db * texture
    rim = np.exp(-np.square((distance - boundary - 0.12) / 0.12))
    echo_db += inside * (inner_db - echo_db) + lesion.halo_db * rim
    attenuation_db -= inside * lesion.behind_db / (2 * tall * echo_db.shape[0])


def _outline(lesion: Lesion, rng: np.random.Generator) -> Map:
    """Return the distance of the edge from the centre, 1 on average, at each of _OUTLINE_STEPS angles from 0 on."""
    angles = np.arange(_OUTLINE_STEPS) * (2 * np.pi / _OUTLINE_STEPS)
    boundary = np.ones(_OUTLINE_STEPS)
    for order in range(2, lesion.spicules + 1):
        strength = lesion.irregularity * rng.uniform(0.2, 1) / np.sqrt(lesion.spicules)
        boundary += strength * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
    return boundary.astype(np.float32)


def _add_stray_shadow(
    attenuation_db: Map, rows: Map, columns: Map, place: float, fat: Map, rng: np.random.Generator
) -> None:
    """Let a ligament or rib at column `place`, below the fat, cast a shadow."""
    width, strength_db = float(rng.uniform(0.015, 0.05)), float(rng.uniform(2, 8))
    band = np.exp(-np.square((columns - place) / width)) * ((rows > fat) & (rows < fat + 0.08))
    attenuation_db += band * strength_db / (0.08 * rows.shape[0])
