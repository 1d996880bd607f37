"""What the page is made of, as `make audit` writes it down."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from breastai import __version__


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm writes it")
def test_the_page_s_bill_of_materials_can_be_written_and_names_its_libraries(project_root: Path) -> None:
    command = ["npm", "--prefix", "frontend", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx", "--offline"]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    wanted = json.loads((project_root / "frontend" / "package.json").read_text())["dependencies"]
    assert set(wanted) <= {part["name"] for part in bill["components"]}
    assert bill["metadata"]["component"]["version"] == __version__
