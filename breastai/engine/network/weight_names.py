"""The names of tensors: which of a file's are a network's, whatever the library that wrote it put before them."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from breastai.domain.text import Text

# A counter of batches, which decides about nothing: files of other libraries often lack it.
_DISPENSABLE = "num_batches_tracked"
_DEEPEST = 4


@dataclass(frozen=True)
class NamedWeights:
    """What of a file goes where in a network.

    `values`: by the network's own names. `prefix`: what stood before them. `missing`: names of the network that the file
    lacks; `unused`: names of the file that the network lacks, such as a classifier's; `misshapen`: of a name, the shape
    the network has and the file's.
    """

    values: dict[str, Tensor]
    prefix: str
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    misshapen: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    @property
    def fit(self) -> bool:
        """Whether they fill the network."""
        return not self.missing and not self.misshapen

    def reason(self, expected: int) -> Text:
        """Return in words why they do not, given how many tensors the network has."""
        if self.misshapen:
            name, wanted, came = self.misshapen[0]
            params = {"count": len(self.misshapen), "tensor": name, "expected": str(wanted), "found": str(came)}
            return Text("reason.tensors_of_other_shape", params)
        return Text(
            "reason.tensors_not_found",
            {
                "found": len(self.values),
                "expected": expected,
                "missing": self.missing[0],
                "unused": self.unused[0] if self.unused else "-",
            },
        )


def name_weights(backbone: nn.Module, file_content: Mapping[str, Any]) -> NamedWeights:
    """Return what of a file's content is whose in a network; names of other libraries are translated where timm can."""
    expected = backbone.state_dict()
    held = tensors_in(file_content, expected)
    found = _matched(held, expected)
    if found.fit or not held:
        return found
    translated = _translated(backbone, held)
    again = found if translated is None else _matched(translated, expected)
    return again if len(again.values) > len(found.values) else found


def tensors_in(content: Mapping[str, Any], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the mapping in `content`, itself or one within, that has most of the names expected."""
    best: dict[str, Tensor] = {}
    most = (-1, -1)
    for level in _levels(content, _DEEPEST):
        held = {name: value for name, value in level.items() if isinstance(name, str) and isinstance(value, Tensor)}
        score = (len(_matched(held, expected).values), len(held))
        if score > most:
            best, most = held, score
    return best


def _levels(content: Mapping[str, Any], depth: int) -> list[Mapping[str, Any]]:
    """Return a mapping and those within: state_dict, model, teacher, whatever they are called."""
    found = [content]
    if depth > 1:
        for value in content.values():
            if isinstance(value, Mapping):
                found += _levels(value, depth - 1)
    return found


def _matched(held: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> NamedWeights:
    prefix = _prefix(held, expected)
    below = {name.removeprefix(prefix): name for name in held if name.startswith(prefix)}
    values = {name: held[below[name]] for name in expected if name in below}
    misshapen = tuple(
        (name, tuple(expected[name].shape), tuple(value.shape))
        for name, value in values.items()
        if value.shape != expected[name].shape
    )
    missing = tuple(name for name in expected if name not in values and not name.endswith(_DISPENSABLE))
    used = {below[name] for name in values}
    return NamedWeights(values, prefix, missing, tuple(name for name in held if name not in used), misshapen)


def _prefix(held: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Return what stands before most of the names expected; the shortest where several do."""
    counts: Counter[str] = Counter()
    for name in held:
        parts = name.split(".")
        for start in range(len(parts)):
            if ".".join(parts[start:]) in expected:
                counts["".join(f"{part}." for part in parts[:start])] += 1
    return max(counts, key=lambda each: (counts[each], -len(each)), default="")


def _translated(backbone: nn.Module, held: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """Return the tensors as timm's own translation of this family names them; None where it has none or fails."""
    module = sys.modules[type(backbone).__module__]
    translate: Callable[..., dict[str, Tensor]] | None = getattr(module, "checkpoint_filter_fn", None)
    if translate is None:
        return None
    try:
        return dict(translate(dict(held), backbone))
    except Exception:  # it expects one of the files it knows, and raises whatever it stumbles over in another
        return None
