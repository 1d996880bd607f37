"""What a mistyped setting was probably meant to be."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from pydantic import BaseModel

_NEAR = 0.75


def leaf_paths(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """Yield the path of every field of a model that is no section: training.epochs."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        path = f"{place}{info.alias or name}"
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaf_paths(kind, f"{path}.")
        else:
            yield path


def near_path(name: str, paths: Sequence[str]) -> str | None:
    """Return the path that `name` was probably meant to be: of the same last part, or spelt alike; None where none is."""
    last = name.rpartition(".")[2]
    by_leaf: dict[str, str] = {}
    for path in paths:
        by_leaf.setdefault(path.rpartition(".")[2], path)
    if last in by_leaf and by_leaf[last] != name:
        return by_leaf[last]
    if found := get_close_matches(name, paths, n=1, cutoff=_NEAR):
        return found[0]
    leaves = get_close_matches(last, list(by_leaf), n=1, cutoff=_NEAR)
    return by_leaf[leaves[0]] if leaves else None


def nearest_path(word: str, paths: Sequence[str]) -> str:
    """Return the path, of at least one, that a word was most likely meant for: near as `near_path` has it, or by its words."""
    near = near_path(word, paths)
    if near is not None:
        return near
    by_word: dict[str, str] = {}
    for path in paths:
        for part in path.replace(".", "_").split("_")[::-1]:
            by_word.setdefault(part, path)
    return by_word[get_close_matches(word.lower(), list(by_word), n=1, cutoff=0.0)[0]]
