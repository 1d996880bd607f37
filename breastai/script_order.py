"""The order of the page's scripts, from what each takes in its head: nobody keeps it by hand.

The page opens as a file too, where ES modules can't be loaded. So its scripts are classic ones: each puts what it
offers into the one global `BreastAI`, and takes what it needs when it is loaded in lines at the head of its function,
`const { byId, make } = BreastAI.elements;`. What is first used later, within a function, may be loaded later.
`python -m breastai.script_order` writes the tags into frontend/index.html; that is done in a checkout, not from a wheel.
"""

import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from breastai.server.connections.static_files import SCRIPT_TAGS
from breastai.texts.page_script import SCRIPT

FRONTEND = Path(__file__).resolve().parent.parent / "frontend"
# The one makes the global, the other puts all together.
_FIRST, _LAST = "js/i18n.js", "js/app.js"
_HEAD = re.compile(r"^  const \{ ([^}]+) \} = BreastAI((?:\.\w+)*);$", re.MULTILINE)
_OFFER = re.compile(r"^ *BreastAI\.((?:views\.)?\w+) = ", re.MULTILINE)


def read_scripts(frontend: Path = FRONTEND) -> dict[str, str]:
    """Return the text of each script of the page by its path; "" for that of the texts, which is made and needs nothing."""
    paths = sorted(path.relative_to(frontend).as_posix() for path in frontend.glob("js/**/*.js"))
    return {path: (frontend / path).read_text(encoding="utf-8") for path in paths if path != SCRIPT} | {SCRIPT: ""}


def needed_names(script: str) -> Iterator[str]:
    """Yield what a script takes in its head, as it is offered: `elements`, `views.progress`."""
    for taken, place in _HEAD.findall(script):
        parts = place.split(".")[1:]
        depth = 2 if parts[:1] == ["views"] else 1
        if len(parts) >= depth:
            yield ".".join(parts[:depth])
        else:
            yield from (".".join([*parts, name.split(":")[0].strip()]) for name in taken.split(","))


def script_order(scripts: Mapping[str, str]) -> list[str]:
    """Return the paths of `scripts`, text by path, each after those whose names it takes in its head.

    Raises ValueError where a name is offered by no script or by two, CycleError where two scripts take from each other.
    """
    offered: dict[str, str] = {}
    for path, script in scripts.items():
        for name in _OFFER.findall(script):
            if offered.setdefault(name, path) != path:
                raise ValueError(f"{path} offers BreastAI.{name}, and so does {offered[name]}.")
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(scripts), ()))
    for path, script in scripts.items():
        for name in needed_names(script):
            if name not in offered:
                raise ValueError(f"{path} takes BreastAI.{name}, which no script offers.")
            order.add(path, offered[name])
        if path != _FIRST:
            order.add(path, _FIRST)
        if path != _LAST:
            order.add(_LAST, path)
    return list(order.static_order())


def page_with(html: str, order: list[str]) -> str:
    """Return the page with the tags of its own scripts in this order; those of libraries stay before them."""
    tags = "".join(f'  <script src="{path}"></script>\n' for path in order)
    page, count = SCRIPT_TAGS.subn(lambda _: tags, html)
    if count != 1:
        raise ValueError(f"The tags of the page's scripts stand in one place; found were {count}.")
    return page


if __name__ == "__main__":
    index = FRONTEND / "index.html"
    index.write_text(page_with(index.read_text(encoding="utf-8"), script_order(read_scripts())), encoding="utf-8")
