"""The content of an image's file, read once: its hash, its header and its pixels, each made when first asked for."""

from functools import cached_property
from pathlib import Path

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.decoder import Decoded, FileHeader
from breastai.data.decoders.decoder_table import content_hash, decode_image, file_header
from breastai.data.decoders.file_content import read_content


class ImageContent:
    """The bytes of an image's file; `name` is for errors, and names the frame of several."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self._decoded: tuple[BitDepth, Decoded] | None = None

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
        return self._decoded[1]
