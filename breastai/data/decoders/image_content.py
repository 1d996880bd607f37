"""The content of an image's file, read once: its hash, its header and its pixels, each made when first asked for."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.decoder import Decoded, FileHeader
from breastai.data.decoders.decoder_table import content_hash, decode_image, file_header
from breastai.data.decoders.file_content import read_content
from breastai.data.pixels import Pixels

Answer = TypeVar("Answer")


class ImageContent:
    """The bytes of an image's file; `name` is for errors, and names the frame of several."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self._decoded: tuple[BitDepth, Decoded] | None = None
        self._answers: dict[Callable[[Pixels], object], object] = {}

    @classmethod
    def read(cls, path: Path, name: str) -> "ImageContent":
        """Return the content of the file at `path`, read now; raise ImageUnreadable."""
        return cls(read_content(path, name), name)

    @cached_property
    def digest(self) -> str:
        """What `content_hash` says of it."""
        return content_hash(self.content, self.name)

    @cached_property
    def header(self) -> FileHeader:
        """What its header says."""
        return file_header(self.content)

    def decode(self, bit_depth: BitDepth = None) -> Decoded:
        """Return its image as `decode_image` does, not to be changed; raise ImageUnreadable."""
        if self._decoded is None or self._decoded[0] != bit_depth:
            self._decoded = bit_depth, decode_image(self.content, self.name, bit_depth)
            self._answers = {}
        return self._decoded[1]

    def ask(self, question: Callable[[Pixels], Answer], bit_depth: BitDepth = None) -> Answer:
        """Return what a question says of its pixels, asked once however many want to know; raise ImageUnreadable."""
        pixels = self.decode(bit_depth).pixels
        if question not in self._answers:
            self._answers[question] = question(pixels)
        return cast(Answer, self._answers[question])
