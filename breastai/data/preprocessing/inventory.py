"""The inventory of a run's images: all that is asked of each before the first epoch, found the one time it is read.

Hash, header, the facts of the audit and the entry of the cache come from one reading of a file's content. Only images
of 16 bits are read again whose depth is not that of their set, which is known after all have been looked at.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from breastai.data.decoders.decoder import NO_HEADER, Header
from breastai.data.decoders.image_content import ImageContent
from breastai.data.preprocessing import cache_store
from breastai.data.preprocessing.cache_store import CacheWriter, Entry, Store
from breastai.data.sources.case_table import CaseTable
from breastai.domain.config import Config
from breastai.domain.errors import ImageUnreadable
from breastai.storage.control_groups import usable_cores
from breastai.storage.private_files import make_tree_private
from breastai.storage.span_trace import span

Found = TypeVar("Found")
# What a run learns from and is judged by meanwhile; a test split is looked at and never prepared.
_PREPARED = ("train", "val")
_TOLD_EACH = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """An image after its reading: its hash or why it can't be read, its header's codes, and its entry in the cache."""

    digest: str | ImageUnreadable
    header: Header = NO_HEADER
    entry: Entry | ImageUnreadable | None = None


@dataclass(frozen=True, slots=True)
class Look(Generic[Found]):
    """What reading an image gave: for the inventory, and for who looked at it."""

    seen: Seen
    found: Found | ImageUnreadable | None


class Place(NamedTuple):
    """An image by its table and its number there; `writer` prepares it, None where nobody does."""

    table: CaseTable
    number: int
    writer: CacheWriter | None


Looks = Generator[Look[Found] | None, None, None]


class Elsewhere(Protocol[Found]):
    """Who looks at many images at once, in processes of their own."""

    def looks(self, places: Sequence[Place], processes: int) -> Looks[Found] | None:
        """Return what is seen at each place in their order, None where it must be read here; None where they gain nothing."""


@dataclass(frozen=True, eq=False)
class TableInventory:
    """The images of one table, in its order; `writer` prepared them, None where nobody did."""

    seen: tuple[Seen, ...]
    writer: CacheWriter | None

    def entry_for(self, store: Store, index: int) -> Entry | ImageUnreadable | None:
        """Return the entry of image `index` in a store, taken over where it holds the same pixels; None to make it."""
        seen = self.seen[index]
        if isinstance(seen.digest, ImageUnreadable):
            return seen.digest
        if self.writer is None or seen.entry is None:
            return None
        if self.writer.store == store:
            return seen.entry
        if isinstance(seen.entry, ImageUnreadable) or not store.takes_over(self.writer.store, seen.entry):
            return None
        return seen.entry


class Inventory:
    """What is known of the images of some tables. `config`: how they are prepared; None where nobody trains on them."""

    def __init__(self, config: Config | None = None, cache_root: Path | None = None) -> None:
        self._config = config
        self._cache_root = cache_root
        self._tables: dict[CaseTable, TableInventory] = {}

    def of(self, table: CaseTable) -> TableInventory | None:
        """Return what is known of a table's images; None before they are read."""
        return self._tables.get(table)

    def take(
        self,
        tables: Mapping[str, CaseTable],
        visit: Callable[[ImageContent], Found] | None = None,
        progress: Callable[[float], None] = lambda share: None,
        elsewhere: Elsewhere[Found] | None = None,
    ) -> list[Found | ImageUnreadable | None]:
        """Read the images of tables, by the name of their split; return what `visit` finds of each, table after table.

        Why an image can't be read, or `visit` raised, stands in its place. `elsewhere`: who finds the same faster.
        """
        writers = {split: self._writer(table) if split in _PREPARED else None for split, table in tables.items()}
        places = [
            Place(table, number, writers[split]) for split, table in tables.items() for number in range(len(table))
        ]
        found: list[Look[Found]] = []
        with closing(self._looks(places, visit, elsewhere)) as looks:
            for look in looks:
                found.append(look)
                if len(found) % _TOLD_EACH == 0:
                    progress(len(found) / len(places))
        start = 0
        for split, table in tables.items():
            seen = tuple(look.seen for look in found[start : start + len(table)])
            self._tables[table] = TableInventory(seen, writers[split])
            start += len(table)
        return [look.found for look in found]

    def _looks(
        self,
        places: Sequence[Place],
        visit: Callable[[ImageContent], Found] | None,
        elsewhere: Elsewhere[Found] | None,
    ) -> Generator[Look[Found], None, None]:
        """Yield what is seen at each place in their order."""
        seen = None if elsewhere is None else elsewhere.looks(places, self._processes())
        if seen is not None:
            with closing(seen):
                for place, look in zip(places, seen, strict=True):
                    yield _look(place, visit) if look is None else look
            return
        with ThreadPoolExecutor(self._threads(), thread_name_prefix="inventory") as pool:
            try:
                yield from pool.map(lambda place: _look(place, visit), places)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _writer(self, table: CaseTable) -> CacheWriter | None:
        if self._config is None:
            return None
        root = self._cache_root or cache_store.default_cache_root()
        make_tree_private(root)
        return CacheWriter(Store.of(root, table, self._config.preprocessing, self._config.data.image_size))

    def _threads(self) -> int:
        workers = 0 if self._config is None else self._config.data.num_workers
        return max(2, min(workers, usable_cores()))

    def _processes(self) -> int:
        cores = usable_cores()
        return cores if self._config is None else min(self._config.data.num_workers, cores)


def _look(place: Place, visit: Callable[[ImageContent], Found] | None) -> Look[Found]:
    with span("read an image"):
        return _looked_at(place, visit)


def _looked_at(place: Place, visit: Callable[[ImageContent], Found] | None) -> Look[Found]:
    table, number, writer = place
    try:
        content = ImageContent.read(table.path(number), table.files[number])
    except ImageUnreadable as error:
        return Look(Seen(error), error)
    found: Found | ImageUnreadable | None = None
    if visit is not None:
        try:
            found = visit(content)
        except ImageUnreadable as error:
            found = error
    entry = None if writer is None else writer.entry(content, table, number)
    return Look(Seen(content.digest, content.header.codes, entry), found)
