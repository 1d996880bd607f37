"""Images sent along in a form: handed over part by part as the page does it, and so bounded and removed as those are."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from breastai.domain.errors import RequestInvalid, TooMuchHanded
from breastai.domain.faults import describe_fault, describe_mismatch
from breastai.domain.request_messages import decode_request
from breastai.domain.requests import MOST_IMAGE_BYTES, MOST_IMAGES_ASKED, AddImage, AskImages
from breastai.domain.text import Text
from breastai.server.jobs.uploads import Uploads

FIELD = "images"
MOST_UPLOAD_BYTES = 2**28
MOST_SPOOLED_BYTES = 2**29
_FIELDS = ("model", "heat_maps", "keep", "session_id", "box", FIELD)
_LONGEST_NAME = 300
_PART_BYTES = 2**19
_LONGEST_FIELD_BYTES = 2**12


class UploadRoom:
    """How much of forms may lie on the disk at once while they come, before any of it is known to be an image."""

    def __init__(self, most_bytes: int = MOST_SPOOLED_BYTES) -> None:
        self._most_bytes, self._held_bytes = most_bytes, 0

    @contextmanager
    def hold(self, request: Request) -> Iterator[None]:
        """Hold room for a form of the length it says, else for the longest there may be; raise TooMuchHanded."""
        said = request.headers.get("Content-Length", "")
        size_bytes = int(said) if said.isdigit() else MOST_UPLOAD_BYTES
        if self._held_bytes + size_bytes > self._most_bytes:
            raise TooMuchHanded(MOST_IMAGES_ASKED, self._most_bytes >> 20)
        self._held_bytes += size_bytes
        try:
            yield
        finally:
            self._held_bytes -= size_bytes


@asynccontextmanager
async def whole_form(request: Request) -> AsyncIterator[FormData]:
    """Give the form of a request, its files closed afterwards; raise RequestInvalid for none, and for one cut off.

    What came of a form without its closing boundary might be half a file: nothing of it is used.
    """
    kind = request.headers.get("Content-Type", "")
    if not kind.lower().startswith("multipart/form-data"):
        came = kind[:100] or Text("came.no_type")
        raise RequestInvalid([describe_mismatch(Text("place.body"), Text("expected.form"), came)])
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=MOST_IMAGES_ASKED + 1,
        max_fields=MOST_IMAGES_ASKED,
        max_part_size=_LONGEST_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as fault:
        words = Text("fault.other", {"message": fault.message})
        raise RequestInvalid([describe_fault(Text("place.form"), words)]) from None
    try:
        if not parser.is_whole:
            wanted, came = Text("expected.closing_boundary"), Text("came.cut_off")
            raise RequestInvalid([describe_mismatch(Text("place.form"), wanted, came)])
        yield form
    finally:
        await form.close()
        parser.close_begun()


class _Parser(MultiPartParser):
    """`is_whole`: the closing boundary has come."""

    is_whole = False

    def close_begun(self) -> None:
        """Close the files of parts that never ended, too: they are in no form."""
        for file in self._files_to_close_on_error:
            file.close()

    def on_end(self) -> None:
        self.is_whole = True


def question(form: FormData) -> AskImages:
    """Return what a form asks; raise RequestInvalid. Its images are called 1, 2, 3 in their order."""
    unknown = [name for name in form if name not in _FIELDS]
    if unknown:
        raise RequestInvalid([Text("problem.unknown_field", {"name": unknown[0][:100], "fields": list(_FIELDS)})])
    values: dict[str, object] = {name: form[name] for name in ("heat_maps", "keep", "session_id") if name in form}
    values |= {"images": [str(number) for number, _ in enumerate(files_of(form), 1)], "models": form.getlist("model")}
    if "box" in form:
        values["boxes"] = [_box(text) for text in form.getlist("box")]
    try:
        text = json.dumps(values)
    except TypeError:
        fields = "model, heat_maps, keep, session_id, box"
        raise RequestInvalid([describe_mismatch(fields, Text("expected.string"), Text("came.file"))]) from None
    asked = decode_request(text, "ask_images")
    assert isinstance(asked, AskImages)
    return asked


def _box(text: object) -> object:
    """Return what a field says of a lesion, x,y,width,height, as numbers; None where it is empty."""
    if not isinstance(text, str):
        return text
    if not text.strip():
        return None
    return [int(number) if number.strip().isdigit() else number.strip() for number in text.split(",")]


def files_of(form: FormData) -> list[UploadFile]:
    """Return the image files of a form; raise RequestInvalid unless there are some, and not too many or too big."""
    found = [value for value in form.getlist(FIELD) if isinstance(value, UploadFile)]
    if len(found) != len(form.getlist(FIELD)) or not 1 <= len(found) <= MOST_IMAGES_ASKED:
        wanted = Text("expected.files_to", {"limit": MOST_IMAGES_ASKED})
        raise RequestInvalid([describe_mismatch(FIELD, wanted, len(found))])
    for file in found:
        if not 1 <= (file.size or 0) <= MOST_IMAGE_BYTES:
            wanted = Text("expected.file_bytes_to", {"limit": MOST_IMAGE_BYTES})
            came = Text("came.size_of_file", {"size": file.size, "file": f"{file.filename!r:.100}"})
            raise RequestInvalid([describe_mismatch(FIELD, wanted, came)])
    return found


async def hand_over(handed: Uploads, owner: Hashable, files: Sequence[UploadFile]) -> None:
    """Hand the files over as images of `owner`; raise RequestInvalid or TooMuchHanded."""
    for number, file in enumerate(files, 1):
        name, size, start = (file.filename or f"image {number}")[:_LONGEST_NAME], file.size or 0, 0
        while content := await file.read(_PART_BYTES):
            text = base64.b64encode(content).decode()
            part = AddImage(image=str(number), file=name, size=size, start=start, part=text)
            await asyncio.to_thread(handed.add, owner, part)
            start += len(content)
