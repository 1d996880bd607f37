"""The server's logs, rotated, the owner's alone, written by a thread so that a slow disk never holds the loop up."""

import logging
import os
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path

from breastai.texts.shown_name import escape_record

LOG = logging.getLogger("breastai.server")
# websockets tells of every connection at INFO, asyncio of each write to a peer that has just gone, uvicorn of each bad
# request, on the terminal.
SERVER_LOGGERS = {
    LOG: logging.INFO,
    logging.getLogger("websockets.server"): logging.WARNING,
    logging.getLogger("asyncio"): logging.ERROR,
    logging.getLogger("uvicorn.error"): logging.ERROR,
}
_MOST_BYTES = 5 * 2**20
_FILES_KEPT = 3
_SECRETS: list[str] = []
_IN_ITS_PLACE = "(the token)"


class _PrivateFile(RotatingFileHandler):
    """A log that its owner alone may read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(
            os.fdopen(descriptor, "ab"), encoding=self.encoding, errors=self.errors, line_buffering=True
        )


class _Guarded(QueueHandler):
    """Hands records on without what no log may hold, whoever put it into a name or a header."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        prepared: logging.LogRecord = super().prepare(escape_record(copy(record)))
        for secret in _SECRETS:
            prepared.msg = str(prepared.msg).replace(secret, _IN_ITS_PLACE)
            prepared.message = str(prepared.message).replace(secret, _IN_ITS_PLACE)
        return prepared


@contextmanager
def kept_out_of_logs(secret: str | None) -> Iterator[None]:
    """Write `secret` to no log until the block ends."""
    if secret is None:
        yield
        return
    _SECRETS.append(secret)
    try:
        yield
    finally:
        _SECRETS.remove(secret)


@contextmanager
def logging_to(
    path: Path,
    loggers: Mapping[logging.Logger, int] = SERVER_LOGGERS,
    form: str = "%(asctime)s %(levelname)s %(name)s %(message)s",
    files_kept: int = _FILES_KEPT,
) -> Iterator[None]:
    """Send what `loggers` tell, from their level on, to `path` until the block ends."""
    file = _PrivateFile(
        path, maxBytes=_MOST_BYTES, backupCount=files_kept, encoding="utf-8", errors="backslashreplace", delay=True
    )
    file.setFormatter(logging.Formatter(form))
    handler = _Guarded(queue.SimpleQueue())
    listener = QueueListener(handler.queue, file)
    before = {logger: (logger.level, logger.propagate) for logger in loggers}
    listener.start()
    for logger, level in loggers.items():
        logger.setLevel(level)
        logger.propagate = False
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, (level, propagate) in before.items():
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
        listener.stop()
        file.close()
