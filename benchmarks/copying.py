"""How fast images at an address are listed and copied here: made-up files on a local disk, read as file://.

python benchmarks/copying.py 20000
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from breastai.data.remote.remote_copy import mirror
from breastai.data.remote.remote_store import RemoteStore
from breastai.data.sources.class_folders import scan
from breastai.storage.remote_mirror import copies_of

FILE_BYTES = 30_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=int, nargs="?", default=20_000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory(prefix="breastai-copying-") as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        source = Path(folder) / "source" / "train"
        write_files(source, count)
        address = f"file://{source.parent}"

        def timed(what: str, function: Callable[[], object]) -> None:
            begun = time.perf_counter()
            function()
            seconds = time.perf_counter() - begun
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{what:<24} {seconds:6.2f} s  {count / seconds:9.0f} files/s  peak {peak:.0f} MiB")

        timed("listing", lambda: sum(1 for _ in RemoteStore.open(address).objects()))
        timed("listing and copying", lambda: mirror(address, 1000, lambda done, total: None))
        timed("again, nothing changed", lambda: mirror(address, 1000, lambda done, total: None))
        timed("finding the classes", lambda: scan(copies_of(address) / "train"))


def write_files(folder: Path, count: int) -> None:
    """Write files of two classes whose contents differ."""
    content = os.urandom(FILE_BYTES)
    for name in ("benign", "malignant"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        path = folder / ("benign", "malignant")[number % 2] / f"P{number:07d}.png"
        path.write_bytes(number.to_bytes(8, "big") + content)


if __name__ == "__main__":
    main()
