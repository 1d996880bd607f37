"""Options about thresholds, prevalences and margins that commands on predictions share, and NAME=VALUE as they are written."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from breastai.domain.errors import CommandInvalid
from breastai.domain.text import Text

_HELP = "breastai --help"

SensitivityOption = Annotated[
    float | None,
    typer.Option(
        "--target-sensitivity",
        metavar="SHARE",
        help="With --choose-on: the sensitivity that the threshold is chosen for [default: 0.95].",
    ),
]
ChooseOption = Annotated[
    str | None,
    typer.Option(
        "--choose-on",
        metavar="COLUMN=VALUE",
        help="Choose the threshold on this part of the predictions, and judge the rest.",
    ),
]
PrevalenceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prevalence",
        metavar="NAME=SHARE",
        help="How common the target class is where the model is to be used; may be repeated.",
    ),
]


def check_threshold(threshold: object | None, sensitivity: float | None, choose_on: str | None, command: str) -> None:
    """Raise CommandInvalid where a threshold is both given and chosen, or a sensitivity chooses on nothing."""
    if threshold is not None and choose_on is not None:
        raise CommandInvalid(Text("command.threshold_or_part"), command)
    if sensitivity is not None and choose_on is None:
        raise CommandInvalid(Text("command.sensitivity_without_part"), command)
    if sensitivity is not None and not 0 < sensitivity < 1:
        raise CommandInvalid(_not_a_share("--target-sensitivity", str(sensitivity)), command)


def read_pairs(option: str, written: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """Yield name and value of each NAME=VALUE; raise CommandInvalid."""
    for each in written or ():
        name, sign, value = (part.strip() for part in each.rpartition("="))
        if not sign or not name or not value:
            raise CommandInvalid(Text("command.pair", {"option": option, "got": each}), _HELP)
        yield name, value


def read_shares(option: str, written: Sequence[str] | None) -> dict[str, float]:
    """Return NAME=SHARE as shares between 0 and 1; raise CommandInvalid."""
    found = {}
    for name, value in read_pairs(option, written):
        (share,) = read_numbers(option, value, 1)
        if not 0 < share < 1:
            raise CommandInvalid(_not_a_share(option, value), _HELP)
        found[name] = share
    return found


def read_numbers(option: str, written: str, count: int | None = None) -> list[float]:
    """Return the numbers in a list with commas, `count` of them; raise CommandInvalid."""
    try:
        numbers = [float(each) for each in written.split(",")]
    except ValueError:
        numbers = []
    if not numbers or (count is not None and len(numbers) != count):
        raise CommandInvalid(Text("command.numbers", {"option": option, "got": written}), _HELP)
    return numbers


def _not_a_share(option: str, got: str) -> Text:
    return Text("command.share", {"option": option, "got": got})
