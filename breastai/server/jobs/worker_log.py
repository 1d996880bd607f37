"""The file a worker's stderr goes to: appended by the worker itself, so that it outlives the server; bounded."""

import asyncio
import os
import time
from pathlib import Path
from typing import BinaryIO, cast

from breastai.storage.private_files import open_private, private_folder

_ROTATE_ABOVE_BYTES = 5 * 2**20
_EMPTY_ABOVE_BYTES = 50 * 2**20
_LOOK_EVERY_S = 60.0


class WorkerLog:
    """One job's part of a log file. `start`: the byte at which it begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = 0
        self._looked = time.monotonic()

    def open(self) -> BinaryIO:
        """Return the file, open for appending; a big one is put aside first as NAME.1."""
        private_folder(self.path.parent)
        if self.path.exists() and self.path.stat().st_size > _ROTATE_ABOVE_BYTES:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        file = cast(BinaryIO, open_private(self.path, "ab"))
        self.start = file.tell()
        return file

    async def keep_bounded(self) -> None:
        """Empty the file when the worker has written far too much; looks once a minute."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            await asyncio.to_thread(self._empty_if_huge)

    def _empty_if_huge(self) -> None:
        try:
            if self.path.stat().st_size > _EMPTY_ABOVE_BYTES:
                os.truncate(self.path, 0)
                self.start = 0
        except OSError:
            return
