"""Whether BreastAI works with the oldest releases that pyproject.toml admits.

    python benchmarks/dependency_floors.py /tmp/floors
    python benchmarks/dependency_floors.py /tmp/floors --python python3.12 --newest

Makes a virtual environment in the folder, holds every package at its lower bound (`--newest`: at none), and in it runs
the quick tests, a training of two epochs and an export in each format. Prints what was installed and what failed; exit
status 1 if anything did. The Torch of a package index may bring CUDA along: several gigabytes.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("train", "tune", "network", "rest", "remote")
# What runs the tests, in whatever release: nobody installs it beside BreastAI.
TEST_PACKAGES = (
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
    "schemathesis",
    "openapi-spec-validator",
    "prometheus-client",
    "import-linter",
)
TRAINING = ("model.architecture=tiny_cnn", "model.pretrained=none", "data.image_size=64", "training.epochs=2")
FORMATS = ("onnx", "onnx-int8", "onnx-fp16", "pytorch", "torch-export")


def lowest_releases(project: dict[str, dict[str, object]]) -> list[str]:
    """Return a constraint for each requirement of the project and of EXTRAS: the release of its lower bound alone."""
    table = project["project"]
    extras = table["optional-dependencies"]
    rows = [*table["dependencies"], *(row for extra in EXTRAS for row in extras[extra])]  # type: ignore[misc,index]
    found = [re.fullmatch(r"([\w.-]+)(?:\[.*\])?[>=]=([\w.]+)(?:,.*)?", row) for row in rows]
    return sorted({f"{match[1]}=={match[2]}" for match in found if match})


def make_environment(folder: Path, python: str, constraints: list[str]) -> str:
    """Install the project with its extras; return the path of the environment's Python."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = str(folder / "bin" / "python")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(constraints))
        file.flush()
        wanted = [f"{ROOT}[{','.join(EXTRAS)}]", *TEST_PACKAGES]
        subprocess.run([own, "-m", "pip", "install", "--quiet", "--constraint", file.name, "-e", *wanted], check=True)
    return own


def main() -> int:
    """Run the checks; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the environment and what it makes lie")
    parser.add_argument("--python", default=sys.executable, help="the Python to make it with")
    parser.add_argument("--newest", action="store_true", help="install the newest releases in place of the oldest")
    asked = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    environment = asked.folder / "environment"
    python = make_environment(environment, asked.python, [] if asked.newest else lowest_releases(project))
    workspace, data = str(asked.folder / "workspace"), str(asked.folder / "data")
    command = [python, "-m", "breastai"]
    settings = [part for setting in TRAINING for part in ("--set", setting)]
    checks = {
        "quick tests": [
            python,
            "-m",
            "pytest",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "--tier",
            "quick",
            "-q",
            "-o",
            "filterwarnings=default",
        ],
        "images": [*command, "sample-data", data],
        "training": [*command, "train", "--workspace", workspace, "--data", data, *settings],
    } | {form: [*command, "export", "latest", "--workspace", workspace, "--format", form] for form in FORMATS}
    subprocess.run([python, "-m", "pip", "freeze", "--exclude-editable"], check=True)
    failed = [name for name, check in checks.items() if subprocess.run(check, cwd=ROOT, check=False).returncode]
    print(f"Failed: {', '.join(failed)}" if failed else f"All {len(checks)} checks passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
