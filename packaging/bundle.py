"""Makes one file that installs BreastAI on a machine without internet: bundle.py WHEEL [EXTRAS] [--into DIR].

Packages are those of this Python's environment, to the version, for its platform and its version of Python; what is not
installed here comes in the newest version that the others admit. docs/deployment.md says how it is used.
"""

import argparse
import hashlib
import json
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What starts install.py: by a shell, by a double click on Windows. {python}: the version the packages are for.
SHELL = """#!/bin/sh
# Makes an environment with BreastAI: sh install.sh [DIR]
folder=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
for python in python{python} python3 python; do
  "$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{python}')" 2>/dev/null || continue
  exec "$python" "$folder/install.py" "$@"
done
echo "Python {python} ?" >&2
exit 1
"""
BATCH = """@echo off\r
rem Makes an environment with BreastAI: install.bat [DIR]\r
py -{python} "%~dp0install.py" %*\r
set status=%errorlevel%\r
pause\r
exit /b %status%\r
"""


def installed_versions() -> list[str]:
    """Return this environment's packages as pip's constraints, BreastAI's own left out."""
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return sorted(f"{name}=={version}" for name, version in found.items() if name.lower() != "breastai")


def collect_wheels(wheel: Path, extras: str, folder: Path) -> None:
    """Put `wheel` and a wheel of each package it needs with `extras` into `folder`; from source where there is none.

    Raises CalledProcessError where pip finds a package neither in an index nor on this disk.
    """
    with tempfile.TemporaryDirectory() as place:
        constraints = Path(place) / "constraints.txt"
        constraints.write_text("\n".join(installed_versions()), encoding="utf-8")
        wanted = f"{wheel}[{extras}]" if extras else str(wheel)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "wheel",
            "--quiet",
            "--wheel-dir",
            str(folder),
        ]
        subprocess.run([*pip, "--constraint", str(constraints), wanted], check=True)


def requirements(folder: Path, extras: str) -> str:
    """Return what install.py has pip install: every wheel of `folder` by name, version and hash."""
    lines = []
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        asked = f"{name}[{extras}]" if name == "breastai" and extras else name
        with wheel.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        lines.append(f"{asked}=={version} --hash=sha256:{digest}")
    return "\n".join(lines) + "\n"


def write_scripts(folder: Path, version: str, extras: str) -> dict[str, str]:
    """Write beside the wheels what installs them, and bundle.json: what they are and for which machines."""
    here: dict[str, str] = runpy.run_path(str(HERE / "bundle_install.py"))["python_and_platform"]()
    described = {"format": 1, "version": version, "extras": extras, **here}
    (folder / "bundle.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    (folder / "requirements.txt").write_text(requirements(folder / "wheels", extras), encoding="utf-8")
    shutil.copyfile(HERE / "bundle_install.py", folder / "install.py")
    shutil.copyfile(HERE.parent / "LICENSE", folder / "LICENSE")
    for name, script in (("install.sh", SHELL), ("install.bat", BATCH)):
        (folder / name).write_text(script.replace("{python}", here["python"]), encoding="utf-8", newline="")
    (folder / "install.sh").chmod(0o755)
    return here


def make_bundle(wheel: Path, extras: str, into: Path) -> Path:
    """Return the .zip, of one folder of its own name. Wheels are compressed already: they are stored as they are."""
    version = wheel.name.split("-")[1]
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as place:
        folder = Path(place)
        collect_wheels(wheel, extras, folder / "wheels")
        here = write_scripts(folder, version, extras)
        name = f"breastai-{version}-{here['platform']}-python{here['python']}"
        unfinished, bundle = folder / "bundle.zip", into / f"{name}.zip"
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file != unfinished:
                    archive.write(file, f"{name}/{file.relative_to(folder).as_posix()}")
        unfinished.replace(bundle)
    return bundle


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("extras", nargs="?", default="")
    parser.add_argument("--into", type=Path, default=Path("dist"))
    asked = parser.parse_args()
    made = make_bundle(asked.wheel.resolve(), asked.extras.replace(" ", ""), asked.into.resolve())
    print(f"{made} ({made.stat().st_size / 1e6:,.0f} MB)")
