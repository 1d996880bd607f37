"""Installs BreastAI from the folder it lies in, without a network: install.py [DIR], by default breastai-env here.

Needs Python's own library alone. Exit status 0: installed; 1: it could not be, and why is said.
"""

import json
import locale
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

TEXTS = {
    "en": {
        "python": "These packages are for Python {wanted}, and this is Python {found}. Start install.py with the other.",
        "platform": "These packages are for {wanted}, and this computer is {found}. Make the bundle on one like it.",
        "venv": "Python can't make an environment in {folder}. On Debian and Ubuntu: install python3-venv first.",
        "pip": "pip could not install the packages; its message stands above. Nothing was fetched from the network.",
        "busy": "{folder} is there already and no environment of Python. Name another folder: install.py DIR",
        "start": "Installing into {folder}; this takes some minutes.",
        "done": "{version} is installed. Start it with:\n  {command} serve --workspace project\n"
        "then open http://localhost:8765/. Research software, not a medical device.",
    },
    "fr": {
        "python": "Ces paquets sont pour Python {wanted}, et voici Python {found}. Lancez install.py avec l’autre.",
        "platform": "Ces paquets sont pour {wanted}, et cet ordinateur est {found}. Créez l’archive sur un ordinateur du même type.",
        "venv": "Python ne peut pas créer d’environnement dans {folder}. Sous Debian et Ubuntu\u00a0: installez d’abord python3-venv.",
        "pip": "pip n’a pas pu installer les paquets\u00a0; son message figure ci-dessus. Rien n’a été téléchargé.",
        "busy": "{folder} existe déjà et n’est pas un environnement Python. Indiquez un autre dossier\u00a0: install.py DOSSIER",
        "start": "Installation dans {folder}\u00a0; cela prend quelques minutes.",
        "done": "{version} est installé. Pour le démarrer\u00a0:\n  {command} serve --workspace projet\n"
        "puis ouvrez http://localhost:8765/. Logiciel de recherche, pas un dispositif médical.",
    },
}


def text(key: str, **params: object) -> str:
    """Return a sentence in the user's language: LC_ALL, LC_MESSAGES, LANG, or else the system's."""
    names = [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    language = next((name for name in names if name), None) or locale.getlocale()[0] or ""
    return TEXTS["fr" if language.lower().startswith("fr") else "en"][key].format(**params)


def misfit(wanted: dict[str, str]) -> str | None:
    """Return what of this Python or computer the packages are not for, None where they fit."""
    here = python_and_platform()
    for key in ("python", "platform"):
        if wanted[key] != here[key]:
            return text(key, wanted=wanted[key], found=here[key])
    return None


def python_and_platform() -> dict[str, str]:
    """Return what packages are built for, such as {"python": "3.11", "platform": "linux-x86_64"}."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    system = sysconfig.get_platform()
    # A Mac's says which release it was built on, too: macosx-11.0-arm64.
    named = f"macosx-{platform.machine()}" if system.startswith("macosx") else system
    return {"python": version, "platform": named}


def install(bundle: Path, target: Path) -> str | None:
    """Make an environment of `bundle` in `target`; return what went wrong, None when it is well.

    pip takes each package by the hash in requirements.txt, and asks no index.
    """
    problem = misfit(json.loads((bundle / "bundle.json").read_text(encoding="utf-8")))
    if problem is not None:
        return problem
    if target.exists() and any(target.iterdir()) and not (target / "pyvenv.cfg").is_file():
        return text("busy", folder=target)
    print(text("start", folder=target), flush=True)
    if subprocess.run([sys.executable, "-m", "venv", str(target)], check=False).returncode != 0:
        return text("venv", folder=target)
    scripts = target / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(scripts / "python"), "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--quiet"]
    offline = ["--no-index", "--find-links", str(bundle / "wheels"), "--require-hashes"]
    if subprocess.run([*pip, *offline, "-r", str(bundle / "requirements.txt")], check=False).returncode != 0:
        return text("pip")
    command = scripts / "breastai"
    version = subprocess.run([str(command), "--version"], check=True, capture_output=True, text=True).stdout.strip()
    print(text("done", version=version, command=command), flush=True)
    return None


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    found = install(here, Path(sys.argv[1]).expanduser().resolve() if len(sys.argv) > 1 else here / "breastai-env")
    if found is not None:
        print(found, file=sys.stderr, flush=True)
        sys.exit(1)
