"""What is known against the packages installed here, without internet: known_faults.py [OSV_ARCHIVE].

OSV_ARCHIVE is the archive of the PyPI ecosystem that https://osv.dev offers whole (PyPI/all.zip), carried here on a
stick. Always listed are the copies of OpenSSL inside wheels, which no such archive knows of. Status 1: a fault is known.
"""

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_OPENSSL = re.compile(rb"OpenSSL (\d+\.\d+\.\d+[a-z]?)(?: | FIPS |\0)")
# A library of OpenSSL's beside an extension, or an extension that holds all of it.
_MAY_HOLD_OPENSSL = re.compile(r"(lib(ssl|crypto)|_rust\.abi3).*(\.so|\.dll|\.dylib|\.pyd)")

Record = Mapping[str, Any]


def installed_packages() -> dict[str, str]:
    """Return name and version of each package of this environment but BreastAI itself."""
    found = {canonicalize_name(each.metadata["Name"]): each.version for each in metadata.distributions()}
    return {name: version for name, version in found.items() if name != "breastai"}


def archive_records(archive: Path) -> Iterator[Record]:
    """Yield the records of OSV's archive."""
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.endswith(".json"):
                yield json.loads(opened.read(name))


def known_faults(records: Iterable[Record], packages: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """Return package, version, the fault's names and its summary, a fault that has several names once."""
    found: dict[tuple[str, frozenset[str]], tuple[str, str, str, str]] = {}
    for record in records:
        if record.get("withdrawn"):
            continue
        for affected in record.get("affected", []):
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            if package.get("ecosystem") != "PyPI" or name not in packages or not _is_affected(packages[name], affected):
                continue
            names = frozenset([record["id"], *record.get("aliases", [])])
            if not any(known == name and names & others for known, others in found):
                found[name, names] = (name, packages[name], " ".join(sorted(names)), record.get("summary", ""))
    return sorted(found.values())


def _is_affected(version: str, affected: Record) -> bool:
    """Return whether OSV's ranges hold a version. One that can't be compared counts where it is listed alone."""
    if version in affected.get("versions", []):
        return True
    try:
        own = Version(version)
        return any(
            _is_within(own, each["events"]) for each in affected.get("ranges", []) if each.get("type") == "ECOSYSTEM"
        )
    except InvalidVersion:
        return False


def _is_within(own: Version, events: Iterable[Mapping[str, str]]) -> bool:
    turns = []
    for event in events:
        (kind, text), *_ = event.items()
        turns.append((Version(text), kind))
    inside = False
    for at, kind in sorted(turns, key=lambda turn: turn[0]):
        if kind == "introduced" and own >= at:
            inside = True
        elif (kind == "fixed" and own >= at) or (kind == "last_affected" and own > at):
            inside = False
    return inside


def openssl_copies(folder: Path) -> dict[str, set[str]]:
    """Return, by the package's folder, the releases of OpenSSL that wheels below `folder` carry."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        if _MAY_HOLD_OPENSSL.search(path.name) and path.is_file():
            for release in _OPENSSL.findall(path.read_bytes()):
                found.setdefault(path.relative_to(folder).parts[0], set()).add(release.decode())
    return found


def main(archive: str | None = None) -> int:
    site_packages = Path(str(metadata.distribution("packaging").locate_file("")))
    for place, releases in sorted(openssl_copies(site_packages).items()):
        print(f"OpenSSL {', '.join(sorted(releases))} in {place}")
    if archive is None:
        return 0
    packages = installed_packages()
    faults = known_faults(archive_records(Path(archive)), packages)
    for row in faults:
        print(*row, sep="  ")
    print(f"{len(packages)} packages, {len(faults)} known faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
