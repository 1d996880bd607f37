"""What BreastAI is run from where it is a service: the container file, the unit of systemd."""

import configparser
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
Instruction = tuple[str, str]


def instructions(text: str) -> list[Instruction]:
    """Return a container file's instructions: the word in capitals, and what follows it, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(words[0].upper(), words[1]) for line in joined.splitlines() if (words := line.split(maxsplit=1))]


def faults(found: list[Instruction]) -> list[str]:
    """Return what of a container file breaks a rule of ours."""
    told = []
    defaults = dict(value.split("=", 1) for word, value in found if word == "ARG" and "=" in value)
    stages = [value.split(" AS ")[1] for word, value in found if word == "FROM" and " AS " in value]
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    for word, value in found:
        if word == "ADD":
            told.append(f"ADD {value}: COPY takes files of ours, and nothing is fetched unseen")
        if word == "FROM":
            base = re.sub(r"\$\{(\w+)\}", lambda name: defaults.get(name[1], ""), value.split(" AS ")[0])
            if base not in stages and not re.search(r"@sha256:[0-9a-f]{64}$|:\d+(\.\d+)*-[a-z-]+$", base):
                told.append(f"FROM {value}: name a release and a distribution, or a digest")
        if word in ("CMD", "ENTRYPOINT") and not _is_list(value):
            told.append(f"{word} {value}: a shell between would not pass the signal to stop on")
        if word == "HEALTHCHECK" and not _is_list(value.partition("CMD ")[2]):
            told.append(f"HEALTHCHECK {value}: write a list")
        if re.search(r"https?://(?!localhost)", value) or re.search(r"(?i)(token|password|secret)\S*=", value):
            told.append(f"{word} {value}: no addresses and no secrets in an image")
        if "--mount=type=secret" in value or "curl " in value or "wget " in value:
            told.append(f"{word} {value}: nothing is fetched unseen")
    final = dict(found[last:])
    users = [value for word, value in found[last:] if word == "USER"]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        told.append("it runs as root")
    told += [f"{word} is missing" for word in ("CMD", "HEALTHCHECK", "VOLUME") if word not in final]
    return told


def _is_list(value: str) -> bool:
    try:
        return isinstance(json.loads(value), list)
    except ValueError:
        return False


GOOD = """
FROM python:3.13-slim-trixie AS one
FROM one
USER 1000
VOLUME ["/w"]
HEALTHCHECK CMD ["true"]
CMD ["true"]
"""


@pytest.fixture(scope="module")
def containerfile() -> list[Instruction]:
    return instructions((ROOT / "Containerfile").read_text(encoding="utf-8"))


def test_the_container_file_keeps_the_rules(containerfile: list[Instruction]):
    assert faults(containerfile) == []
    assert faults(instructions(GOOD)) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("USER 1000", "USER root"),
        ("USER 1000", ""),
        ("USER 1000", "USER 1000\nUSER 0:0"),
        ("python:3.13-slim-trixie", "python:latest"),
        ("python:3.13-slim-trixie", "python"),
        ('CMD ["true"]\n', "CMD true\n"),
        ("USER 1000", "USER 1000\nADD http://localhost/x /x"),
        ("USER 1000", "RUN curl -O x\nUSER 1000"),
        ("USER 1000", "ENV API_TOKEN=x\nUSER 1000"),
        ('VOLUME ["/w"]', ""),
        ('HEALTHCHECK CMD ["true"]', ""),
    ],
)
def test_a_container_file_that_breaks_a_rule_is_told_of(good: str, bad: str):
    assert good in GOOD
    assert len(faults(instructions(GOOD.replace(good, bad, 1)))) >= 1


def test_what_the_container_file_copies_is_there_and_let_through_by_the_ignore_file(containerfile: list[Instruction]):
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [value.split()[:-1] for word, value in containerfile if word == "COPY" and "--from" not in value]
    sources = [source for sources in copied for source in sources]
    assert "breastai" in sources
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source.partition('/')[0]}" in ignored
    assert ignored[1] == "*" and "frontend/session.js" in ignored


def test_the_containers_command_and_the_units_are_commands_of_ours(containerfile: list[Instruction]):
    unit = (ROOT / "packaging" / "breastai.service").read_text(encoding="utf-8")
    [started] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    extras = re.search(r"whl\)\[([\w,]+)\]", str(containerfile))[1].split(",")
    assert {"train", "tune", "network", "rest", "remote", "dicom"} <= set(extras)
    for program, *arguments in (json.loads(dict(containerfile)["CMD"]), started.split()):
        assert Path(program).name == "breastai"
        done = subprocess.run(
            [sys.executable, "-m", "breastai", *arguments, "--help"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


# --- the scripts in the image --------------------------------------------------------------------


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "packaging" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
def test_the_health_check_finds_the_page_with_tls_and_without(tmp_path: Path, host: str):
    command = [sys.executable, "-m", "breastai.server", "--workspace", str(tmp_path), "--host", host]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = re.search(r"https?://localhost:\d+/", server.stdout.readline())[0]
            assert url.startswith("https:") == (host == "0.0.0.0")
            assert script("healthcheck").fault(url) is None
            assert "404" in script("healthcheck").fault(f"{url}nothing")
            assert "not BreastAI" in script("healthcheck").fault(f"{url}health")
        finally:
            server.terminate()
    assert url in script("healthcheck").fault(url)


def test_an_image_for_cuda_without_cuda_is_not_made():
    verdict = script("check_device").verdict
    assert verdict("cuda", None)[0] == 1
    assert verdict("tpu", None)[0] == 2
    assert verdict("cuda", "13.0")[0] == verdict("cpu", None)[0] == verdict("cpu", "13.0")[0] == 0
    assert "PIP_EXTRA_INDEX_URL" in verdict("cpu", "13.0")[1]


# --- systemd ---------------------------------------------------------------------------------------


def test_the_unit_runs_as_an_ordinary_user_who_can_write_its_own_folders_alone():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(ROOT / "packaging" / "breastai.service", encoding="utf-8")
    service = unit["Service"]
    assert service["User"] not in ("", "root", "0")
    wanted = {"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "CapabilityBoundingSet": ""}
    assert {key: service[key] for key in wanted} == wanted
    assert (service["OOMPolicy"], service["KillMode"]) == ("continue", "mixed")
    assert int(service["TimeoutStopSec"]) > 60  # what the server may take to stop


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    unit = (ROOT / "packaging" / "breastai.service").read_text(encoding="utf-8")
    copy = tmp_path / "breastai.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    copy.write_text(unit.replace("ProtectHome=yes", "ProtectHome=perhaps"), encoding="utf-8")
    told = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert "protect home" in told.stderr
