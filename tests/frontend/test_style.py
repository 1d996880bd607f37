"""The page's style: colours, sizes of text, corners and gaps come from the list at its top."""

import re
from pathlib import Path

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
STYLE = (FRONTEND / "style.css").read_text(encoding="utf-8")
TOKENS, RULES = STYLE.split("}", 1)


def test_sizes_of_text_corners_and_gaps_are_tokens() -> None:
    bare = re.findall(
        r"(?<!-)\b(?:font-size|font|border-radius|gap): [^;}]*?(?<![\w.-])[\d.]+(?:px|r?em)\b[^;}]*", RULES
    )
    # What is drawn by a border or a box of some pixels.
    assert [each for each in bare if each not in ("border-radius: 1px", "border-radius: 2px", "gap: 1px")] == []


def test_every_token_is_used_and_every_one_used_is_there() -> None:
    there = set(re.findall(r"^  (--[\w-]+):", TOKENS, re.MULTILINE))
    used = set(re.findall(r"var\((--[\w-]+)\)", STYLE))
    scripts = "".join(path.read_text(encoding="utf-8") for path in (FRONTEND / "js").rglob("*.js"))
    assert sorted(name for name in there - used if name.rstrip("0123456789") not in scripts) == []
    set_by_rules = set(re.findall(r"(--[\w-]+):", RULES))
    assert sorted(name for name in used - there - set_by_rules if name not in scripts) == []
