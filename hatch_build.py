"""What a wheel carries of the page: its own files, and of its libraries what it loads, with their licences."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGED = "breastai/frontend"
OWN_FILES = ("index.html", "style.css", "favicon.svg", "js/**/*.js")
# Each library's licence goes along. @kurkle/color is inside chart.umd.min.js. Of ACE's 290 scripts the page loads
# three beside ace.js; a command of the editor may ask for another extension, and for no other mode or theme.
LIBRARY_FILES = {
    "chart.js": ("dist/chart.umd.min.js", "LICENSE*"),
    "@kurkle/color": ("LICENSE*",),
    "ace-builds": (
        "src-min-noconflict/ace.js",
        "src-min-noconflict/mode-json.js",
        "src-min-noconflict/mode-text.js",
        "src-min-noconflict/ext-*.js",
        "css/ace.css",
        "css/main-*",
        "LICENSE*",
    ),
}


def page_files(frontend: Path) -> list[Path]:
    """Return the files a wheel carries, relative to `frontend`; never session.js, which holds the owner's token.

    Raises FileNotFoundError for a pattern without a file: a wheel without charts or editor would look complete.
    """
    patterns = [*OWN_FILES]
    for library, files in LIBRARY_FILES.items():
        patterns += [f"node_modules/{library}/{file}" for file in files]
    found = []
    for pattern in patterns:
        files = sorted(path.relative_to(frontend) for path in frontend.glob(pattern) if path.is_file())
        if not files:
            raise FileNotFoundError(
                f"A wheel carries the page and its libraries, and there is no {frontend / pattern}. "
                f"Type first: npm ci --prefix {frontend} (or make wheel, which does both)."
            )
        found += files
    return found


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the page into a wheel. An editable install finds it in the checkout, and may be made before npm ran."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        frontend = Path(self.root) / "frontend"
        texts = Path(self.root) / "breastai" / "texts"
        runpy.run_path(str(texts / "page_script.py"))["write_page_script"](frontend, texts)
        for file in page_files(frontend):
            build_data["force_include"][str(frontend / file)] = f"{PACKAGED}/{file.as_posix()}"
