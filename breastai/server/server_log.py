"""The server's logs, rotated, the owner's alone, written by a thread so that a slow disk never holds the loop up."""

import logging
import os
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path

LOG = logging.getLogger("breastai.server")
# websockets tells of every connection at INFO, asyncio of each write to a peer that has just gone, on the terminal.
SERVER_LOGGERS = {
    LOG: logging.INFO,
    logging.getLogger("websockets.server"): logging.WARNING,
    logging.getLogger("asyncio"): logging.ERROR,
}
_MOST_BYTES = 5 * 2**20
_FILES_KEPT = 3


class _PrivateFile(RotatingFileHandler):
    """A log that its owner alone may read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(
            os.fdopen(descriptor, "ab"), encoding=self.encoding, errors=self.errors, line_buffering=True
        )


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
    handler = QueueHandler(queue.SimpleQueue())
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
