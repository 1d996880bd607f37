"""Images that clients hand over to ask about: kept in a temporary place until they are answered, bounded in size and number."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.errors import ImageNotHanded, RequestInvalid, TooMuchHanded
from breastai.domain.faults import describe_mismatch
from breastai.domain.jobs import HandedImage
from breastai.domain.requests import MOST_IMAGES_ASKED, AddImage
from breastai.domain.text import Text
from breastai.server.jobs.dataset_uploads import decode_part
from breastai.storage.workspace import Workspace

FOLDER = ".handed"
MOST_BYTES = 2**29
# An image of which nothing came for so long, and that nobody asked about, goes when another needs its room.
_RESTS_S = 60.0


@dataclass
class _Image:
    name: str
    path: Path
    size: int
    received: int = 0
    touched: float = 0.0  # when a part came last, on time.monotonic's clock


class Uploads:
    """One per server. `owner` is the connection an image came by. Its methods write files: not for the event loop."""

    def __init__(self, workspace: Workspace, most_bytes: int = MOST_BYTES) -> None:
        self._root = workspace.root / FOLDER
        self._folder: Path | None = None
        self._images: dict[Hashable, dict[str, _Image]] = {}
        self._taken: dict[str, int] = {}
        self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return sum(map(len, self._images.values())) + len(self._taken)

    def add(self, owner: Hashable, part: AddImage) -> int:
        """Write a part of an image down; return how many bytes are there. Raises RequestInvalid or TooMuchHanded."""
        content = decode_part(part.part)
        with self._lock:
            image = self._begun(owner, part) if part.start == 0 else self._images.get(owner, {}).get(part.image)
            if image is None or part.start != image.received or part.size != image.size:
                there = image.received if image else 0
                raise RequestInvalid(
                    [describe_mismatch("start", Text("expected.bytes_there", {"count": there}), part.start)]
                )
            if image.received + len(content) > image.size:
                most = Text("expected.bytes_to", {"limit": image.size - image.received})
                raise RequestInvalid([describe_mismatch("part", most, len(content))])
            self._make_room(len(content))
            with image.path.open("ab") as file:
                file.write(content)
            image.received += len(content)
            image.touched = time.monotonic()
            return image.received

    def take(self, owner: Hashable, wanted: Iterable[str]) -> list[HandedImage]:
        """Return whole images, which are the caller's from now on: to be given to `remove`. Raises ImageNotHanded."""
        with self._lock:
            own = self._images.get(owner, {})
            names = list(dict.fromkeys(wanted))
            for name in names:
                if name not in own or own[name].received != own[name].size:
                    raise ImageNotHanded(name)
            taken = []
            for name in names:
                image = own.pop(name)
                self._taken[str(image.path)] = image.size
                taken.append(HandedImage(image=name, name=image.name, path=str(image.path)))
            return taken

    def remove(self, images: Iterable[HandedImage]) -> None:
        """Delete images that were taken."""
        with self._lock:
            for image in images:
                self._taken.pop(image.path, None)
                Path(image.path).unlink(missing_ok=True)

    def drop(self, owner: Hashable) -> None:
        """Delete what a connection that is gone has not asked about."""
        with self._lock:
            for image in self._images.pop(owner, {}).values():
                image.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete everything."""
        with self._lock:
            self._images.clear()
            self._taken.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None
            with contextlib.suppress(OSError):
                self._root.rmdir()

    def clear_abandoned(self) -> None:
        """Delete what servers left that were killed."""
        if self._root.is_symlink() or not self._root.is_dir():
            return
        for folder in self._root.iterdir():
            pid = folder.name.partition("-")[0]
            if (
                not folder.is_symlink()
                and pid.isdigit()
                and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid)))
            ):
                shutil.rmtree(folder, ignore_errors=True)

    def _begun(self, owner: Hashable, part: AddImage) -> _Image:
        own = self._images.setdefault(owner, {})
        before = own.pop(part.image, None)
        if before is not None:
            before.path.unlink(missing_ok=True)
        if len(own) >= MOST_IMAGES_ASKED or part.size > self._most_bytes:
            raise TooMuchHanded(MOST_IMAGES_ASKED, self._most_bytes >> 20)
        # The ending tells a decoder what to expect; nothing else of the name is used.
        suffix = Path(part.file).suffix.lower()
        number, name = tempfile.mkstemp(suffix if suffix in IMAGE_SUFFIXES else "", "", self._place())
        os.close(number)
        image = own[part.image] = _Image(part.file, Path(name), part.size, touched=time.monotonic())
        return image

    def _make_room(self, size_bytes: int) -> None:
        """Raise TooMuchHanded unless there is room for what has come: a promise takes none, and who rests makes room."""
        there = [(owner, name, image) for owner, own in self._images.items() for name, image in own.items()]
        held = sum(image.received for _, _, image in there) + sum(self._taken.values())
        for owner, name, image in sorted(there, key=lambda each: each[2].touched):
            if held + size_bytes <= self._most_bytes or time.monotonic() - image.touched < _RESTS_S:
                break
            held -= image.received
            del self._images[owner][name]
            image.path.unlink(missing_ok=True)
        if held + size_bytes > self._most_bytes:
            raise TooMuchHanded(MOST_IMAGES_ASKED, self._most_bytes >> 20)

    def _place(self) -> Path:
        if self._folder is None:
            self._root.mkdir(mode=0o700, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp("", f"{os.getpid()}-", self._root))
        return self._folder
