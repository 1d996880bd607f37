"""Class matching: which of a model's classes the classes of other images stand for, by their names or a person's word."""

import re
from collections.abc import Mapping, Sequence

from pydantic import Field

from breastai.domain.class_words import canonical_class, kinds_of
from breastai.domain.errors import ClassesUnmatched, ClassMapInvalid
from breastai.domain.stored import Stored

ClassMap = Mapping[str, Sequence[str]]

_ORDINAL = re.compile(r"^\d+[\W_]+(?=\D)")
_AND = " + "


class ClassMatch(Stored):
    """What classes labelled images were judged in, and how their own classes came to be these."""

    class_names: list[str] = Field(
        description="The classes judged, in the model's order; several that the images don't tell apart are one."
    )
    of_model: list[list[str]] = Field(description="Of each of these, the model's classes that it is made of.")
    stands_for: dict[str, str] = Field(description="Of each class of the images that is judged, which of these it is.")
    lacking: list[str] = Field(description="Those of which there is no image.")
    left_out: dict[str, int] = Field(description="Images left out, by class: the model has no such class.")

    @property
    def merges(self) -> bool:
        """Whether classes of the model are taken as one."""
        return any(len(members) > 1 for members in self.of_model)

    @property
    def renamed(self) -> dict[str, str]:
        """The classes that are called otherwise in the images, with what they were taken for."""
        return {name: judged for name, judged in self.stands_for.items() if name != judged}

    @property
    def is_plain(self) -> bool:
        """Whether the images have the model's classes, by the same names."""
        return not (self.merges or self.renamed or self.lacking or self.left_out)

    @property
    def present(self) -> list[str]:
        """The classes judged of which there are images."""
        return [name for name in self.class_names if name not in self.lacking]


def match_classes(
    place: str, counts: Mapping[str, int], expected: Sequence[str], class_map: ClassMap | None = None
) -> ClassMatch:
    """Return how the classes of images at `place`, with their `counts`, are judged as those of a model, `expected`.

    `class_map` goes before names: for a class of the images the classes of the model it stands for, none to leave it
    out. A name that is nobody's is left out only where every class of the model is accounted for: else it may be one of
    those. Raises ClassesUnmatched and ClassMapInvalid.
    """
    said = _read_map(place, list(counts), expected, class_map or {})
    groups: dict[str, tuple[str, ...]] = {}
    unknown = []
    for name in counts:
        found = said.get(name)
        if found is None:
            found = _by_name(name, expected)
        if found is None:
            unknown.append(name)
        elif found:
            groups[name] = found
    taken = {member for members in groups.values() for member in members}
    overlapping = sum(len(members) for members in set(groups.values())) > len(taken)
    if overlapping or not groups or (unknown and taken != set(expected)):
        doubtful = unknown or list(counts)
        open_classes = [name for name in expected if name not in taken] or list(expected)
        example = f"{doubtful[0]}={open_classes[0]}"
        raise ClassesUnmatched(place, doubtful, list(counts), list(expected), example, f"{doubtful[0]}=")
    group_of = {member: members for members in groups.values() for member in members}
    judged = list(dict.fromkeys(group_of.get(name, (name,)) for name in expected))
    present = set(groups.values())
    return ClassMatch(
        class_names=[_AND.join(members) for members in judged],
        of_model=[list(members) for members in judged],
        stands_for={name: _AND.join(members) for name, members in groups.items()},
        lacking=[_AND.join(members) for members in judged if members not in present],
        left_out={name: count for name, count in counts.items() if name not in groups},
    )


def plain_match(class_names: Sequence[str], counts: Mapping[str, int]) -> ClassMatch:
    """Return the match of images that have the model's own classes."""
    return ClassMatch(
        class_names=list(class_names),
        of_model=[[name] for name in class_names],
        stands_for={name: name for name in class_names},
        lacking=[name for name in class_names if not counts.get(name)],
        left_out={},
    )


def _by_name(name: str, expected: Sequence[str]) -> tuple[str, ...] | None:
    """Return the model's classes that a name means: the same name, numbered or not, or words that mean the same."""
    own = canonical_class(name)
    by_name = {canonical_class(each): each for each in expected}
    for spelling in (own, canonical_class(_ORDINAL.sub("", own))):
        if spelling in by_name:
            return (by_name[spelling],)
    kinds = kinds_of(own)
    alike = [(each, kinds_of(each)) for each in expected]
    met = [(each, theirs) for each, theirs in alike if theirs & kinds]
    if not kinds or not met or not kinds <= frozenset().union(*(theirs for _, theirs in met)):
        return None
    if len(met) > 1 and not all(theirs <= kinds for _, theirs in met):
        return None
    return tuple(each for each, _ in met)


def _read_map(
    place: str, found: Sequence[str], expected: Sequence[str], class_map: ClassMap
) -> dict[str, tuple[str, ...]]:
    """Return what a person says of each class, by the names as they are known; raise ClassMapInvalid."""
    of_images = {canonical_class(name): name for name in found}
    of_model = {canonical_class(name): name for name in expected}
    said = {}
    for name, members in class_map.items():
        unknown = [each for each in members if canonical_class(each) not in of_model]
        if canonical_class(name) not in of_images or unknown:
            wrong = unknown[0] if unknown else name
            raise ClassMapInvalid(place, wrong, list(found), list(expected))
        chosen = {of_model[canonical_class(each)] for each in members}
        said[of_images[canonical_class(name)]] = tuple(each for each in expected if each in chosen)
    return said
