"""What the audit tells of how images are read: their bit depth, their pages, their colour space."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from breastai.clinical.image_facts import ImageFacts
from breastai.data.decoders.bit_depth import disagrees
from breastai.data.sources.frames import file_of


def reading_faults(
    images: Sequence[tuple[str, ImageFacts]], depth: int | None
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Yield the code, files and params of each finding, given each image's file and facts, and the set's bit depth."""
    deep = [file for file, facts in images if facts.own_bits is not None]
    if deep and depth is not None:
        yield "images.bit_depth", deep, {"count": len(deep), "depth": depth}
    other = [(file, facts.own_bits or 0) for file, facts in images if disagrees(facts.own_bits, depth)]
    if other:
        listed = ", ".join(f"{bits}: {count}" for bits, count in sorted(Counter(bits for _, bits in other).items()))
        params = {"count": len(other), "depth": depth, "listed": listed}
        yield "images.bit_depth_differs", [file for file, _ in other], params
    paged = [file for file, facts in images if facts.pages > 1]
    left = [file for file in paged if file_of(file) == file]
    if left:
        yield "images.several_pages", left, {"count": len(left)}
    taken = [file for file in paged if file_of(file) != file]
    if taken:
        yield "images.pages", taken, {"count": len(taken), "file_count": len({file_of(file) for file in taken})}
    tinted = [(file, facts) for file, facts in images if facts.colour_space is not None]
    if tinted:
        devices = Counter(facts.device or "?" for _, facts in tinted)
        by_device = ", ".join(f"{name} {count}" for name, count in devices.most_common(5))
        kinds = dict(Counter(str(facts.colour_space) for _, facts in tinted))
        yield (
            "colour.wrong_space",
            [file for file, _ in tinted],
            {"count": len(tinted), "by_device": by_device, "kinds": kinds},
        )
