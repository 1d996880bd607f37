"""The catalogue as the page's script js/texts.js: a page opened as a file can load scripts and nothing else.

Run as a script, it writes that file into the folder given. It needs the standard library alone, for the build of a
wheel runs it before anything is installed.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

SCRIPT = "js/texts.js"
# Said by the command line, the report and the page for reviewing alone: half as much again for the page to load.
_ELSEWHERE = ("cli.", "doctor.", "report.", "review.")


def page_script(texts: Path) -> str:
    """Return the script of every language whose file lies in the folder `texts`: what the page may say."""
    languages = {}
    for path in sorted(texts.glob("*.json")):
        known = json.loads(path.read_text(encoding="utf-8"))
        languages[path.stem] = {key: text for key, text in known.items() if not key.startswith(_ELSEWHERE)}
    table = (
        json.dumps(languages, ensure_ascii=False, indent=0).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    )
    head = "// @ts-nocheck\n/* Made from breastai/texts by breastai/texts/page_script.py; changes here are lost. */\n"
    return f'{head}(function () {{\n"use strict";\nBreastAI.locales = {table};\n}})();\n'


def write_page_script(frontend: Path, texts: Path = Path(__file__).parent) -> None:
    """Write the script into the page's folder, where it is not there as it should be; raise OSError."""
    file, content = frontend / SCRIPT, page_script(texts).encode()
    if file.is_file() and file.read_bytes() == content:
        return
    descriptor, unfinished = tempfile.mkstemp(dir=file.parent, prefix=".texts")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(file)
    except OSError:
        Path(unfinished).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    write_page_script(Path(sys.argv[1]))
