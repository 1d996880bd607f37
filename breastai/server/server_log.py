"""The server's log: logs/server.log, rotated, written by a thread so that a slow disk never holds the loop up."""

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path

LOG = logging.getLogger("breastai.server")
_MOST_BYTES = 5 * 2**20
_FILES_KEPT = 3


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send what the server and websockets log to `path` until the block ends."""
    file = RotatingFileHandler(path, maxBytes=_MOST_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler = QueueHandler(queue.SimpleQueue())
    listener = QueueListener(handler.queue, file)
    # websockets tells of every connection at INFO; only what went wrong is worth keeping.
    loggers = {LOG: logging.INFO, logging.getLogger("websockets.server"): logging.WARNING}
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
