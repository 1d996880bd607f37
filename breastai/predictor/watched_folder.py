"""A watched folder: images that arrive are answered, each once, until one is asked to stop."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from breastai.data.decoders.decoder import Decoded
from breastai.data.decoders.decoder_table import header_of
from breastai.data.preprocessing.lesion_boxes import marked_box, wants_box
from breastai.data.preprocessing.model_images import read_for
from breastai.data.sources.frames import frames_of
from breastai.data.sources.image_listing import reason_against_file
from breastai.domain.errors import BreastAIError, ImageUnreadable
from breastai.domain.events import Event, Log, Prediction
from breastai.domain.file_names import is_system_name
from breastai.domain.text import Text
from breastai.domain.watch_records import LedgerLine, WatchedAnswer
from breastai.predictor.predictions import Answering, prediction, unreadable
from breastai.storage.private_files import file_sha256
from breastai.storage.watch_ledger import MOST_ATTEMPTS, WatchLedger

_STEP_S = 0.2
OnAnswer = Callable[[Path, Prediction, Decoded | None], None]


def tell_nobody(path: Path, answer: Prediction, decoded: Decoded | None) -> None:
    """Do nothing with an answer."""


@dataclass(frozen=True)
class Watch:
    """What is watched. A file has arrived when its size and time have stayed the same for `settle_s`.

    `once`: what is there is answered, and that is all. `on_answer`: told of each answer before it is in the ledger.
    """

    inbox: Path
    model_name: str
    settle_s: float = 2.0
    every_s: float = 2.0
    once: bool = False
    on_answer: OnAnswer = tell_nobody


@dataclass(frozen=True)
class Arrival:
    """A file that has arrived, as it was when it was looked at."""

    path: Path
    name: str
    size_bytes: int
    changed_ns: int


def answer_arrivals(
    model: Answering, watch: Watch, ledger: WatchLedger, stop_requested: Callable[[], bool]
) -> Iterator[Event]:
    """Yield an answer for each file as it arrives, and a line of the log for what is no image."""
    if model.unit_rule is not None:  # the rest of an exam may still be on its way
        yield Log.of("warning", Text("log.watch.by_image", {"unit": Text(f"unit.{model.unit_rule.unit}")}))
    arrivals = Arrivals(watch, ledger)
    while not stop_requested():
        for arrival in arrivals.take():
            yield from _answer(model, watch, ledger, arrival)
            if stop_requested():
                return
        if watch.once and not arrivals.waiting:
            return
        _wait(min(watch.every_s, watch.settle_s) if watch.once else watch.every_s, stop_requested)


class Arrivals:
    """The files of the watched folder that have arrived and are not answered. `waiting`: how many still change."""

    def __init__(self, watch: Watch, ledger: WatchLedger) -> None:
        self._watch, self._ledger = watch, ledger
        self._since: dict[str, tuple[int, int, float]] = {}
        self.waiting = 0

    def take(self) -> list[Arrival]:
        """Look at the folder; return what has arrived since, the oldest first."""
        now = time.monotonic()
        found, since = [], {}
        for arrival in files_below(self._watch.inbox):
            state = (arrival.size_bytes, arrival.changed_ns)
            if self._ledger.is_as_it_was(arrival.name, *state):
                continue
            before = self._since.get(arrival.name)
            seen = before[2] if before is not None and before[:2] == state else now
            since[arrival.name] = (*state, seen)
            if now - seen >= self._watch.settle_s and arrival.size_bytes:
                found.append(arrival)
        self._since = since
        self.waiting = sum(1 for size, _, _ in since.values() if size) - len(found)
        return sorted(found, key=lambda arrival: (arrival.changed_ns, arrival.name))


def files_below(root: Path) -> Iterator[Arrival]:
    """Yield the files below a folder, but for hidden ones; links are not followed, so that nothing outside is read."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not is_system_name(name))
        for name in sorted(names):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:  # gone meanwhile
                continue
            if path.is_file() and not path.is_symlink() and not is_system_name(name):
                yield Arrival(path, path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)


def _answer(model: Answering, watch: Watch, ledger: WatchLedger, arrival: Arrival) -> Iterator[Event]:
    """Answer a file, and each of its frames where the model wants them; what fails is an answer with its reason."""
    try:
        sha256 = file_sha256(arrival.path, own=False)
        reason = reason_against_file(arrival.path)
    except OSError:  # gone, or not yet to be read: looked at again
        return
    if reason is not None:
        yield from _leave_out(watch, ledger, arrival, sha256, reason)
        return
    crashed = ledger.attempt(arrival.name, sha256) > MOST_ATTEMPTS
    images = [arrival.path] if crashed else frames_of(arrival.path, model.preprocessing.frames)
    for path in images:
        name = f"{arrival.name}{path.name[len(arrival.path.name) :]}"
        if ledger.knows(name, sha256):
            continue
        if crashed:
            gave_up = ImageUnreadable(name, Text("reason.read_too_often", {"count": MOST_ATTEMPTS}))
            said, decoded = unreadable(gave_up, name), None
        else:
            said, decoded = _ask(model, path, name)
        watch.on_answer(path, said, decoded)
        written = ledger.write_answer(WatchedAnswer(model=watch.model_name, sha256=sha256, prediction=said))
        ledger.append(_line(watch, arrival, sha256, said, decoded, written))
        yield said
    ledger.finish(arrival.name, arrival.size_bytes, arrival.changed_ns)


def _leave_out(watch: Watch, ledger: WatchLedger, arrival: Arrival, sha256: str, reason: Text) -> Iterator[Event]:
    if not ledger.knows(arrival.name, sha256):
        ledger.append(
            LedgerLine(
                file=arrival.name,
                sha256=sha256,
                size_bytes=arrival.size_bytes,
                changed_ns=arrival.changed_ns,
                time=_now(),
                model=watch.model_name,
                is_skipped=True,
                error=reason,
            )
        )
        yield Log.of("warning", Text("log.watch.left_out", {"file": arrival.name, "reason": reason}))
    ledger.finish(arrival.name, arrival.size_bytes, arrival.changed_ns)


def _ask(model: Answering, path: Path, name: str) -> tuple[Prediction, Decoded | None]:
    try:
        box = marked_box(path) if wants_box(model.preprocessing) else None
        decoded = read_for(path, model.preprocessing)
        return prediction(model, decoded, name, header_of(path), box), decoded
    except BreastAIError as error:
        return unreadable(error, name), None


def _line(
    watch: Watch, arrival: Arrival, sha256: str, said: Prediction, decoded: Decoded | None, written: str
) -> LedgerLine:
    grey = None if decoded is None else decoded.pixels.mean(axis=2)
    return LedgerLine(
        file=said.file,
        sha256=sha256,
        size_bytes=arrival.size_bytes,
        changed_ns=arrival.changed_ns,
        time=_now(),
        model=watch.model_name,
        error=said.error_text or said.error,
        answer=written,
        decision=said.decision or said.label,
        probabilities=said.probabilities,
        target_class=said.target_class,
        threshold=said.threshold,
        called=said.called,
        refer=said.refer,
        refer_reason=said.refer_reason,
        novelty=said.novelty,
        novelty_limit=said.novelty_limit,
        width=None if decoded is None else decoded.pixels.shape[1],
        height=None if decoded is None else decoded.pixels.shape[0],
        brightness=None if grey is None else round(float(grey.mean()), 3),
        contrast=None if grey is None else round(float(grey.std()), 3),
        modality=said.modality,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _wait(seconds: float, stop_requested: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop_requested():
        time.sleep(min(_STEP_S, max(0.0, end - time.monotonic())))
