"""Shared storage: what lies at an address, and fetching one object of it. The one place that knows fsspec."""

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastai.domain.class_words import split_of
from breastai.domain.data_locations import scheme_of, without_secrets
from breastai.domain.errors import (
    BreastAIError,
    MissingExtra,
    SplitFoldersAmbiguous,
    StoreNotFound,
    StorePackageMissing,
    StoreRefused,
    StoreUnknown,
    StoreUnreachable,
)

# What a user installs for each kind of storage; fsspec itself reads the others.
PACKAGES: Mapping[str, str] = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "smb": "smbprotocol",
}
# Which of these a listing has, in this order, tells one version of an object from another.
_VERSION_KEYS = (
    "ETag",
    "etag",
    "md5Hash",
    "generation",
    "mtime",
    "LastModified",
    "last_modified",
    "modified",
    "created",
)
_MD5 = re.compile(r"[0-9a-f]{32}")
_REFUSALS = ("credential", "forbidden", "accessdenied", "access denied", "unauthorized", "signature", "authentication")
_SECRET_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|CONNECTION_STRING|SAS", re.IGNORECASE)
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object below an address; `name` is relative to it. What its storage does not tell is None.

    `md5` is that of its content for certain where `md5_certain`; Amazon's ETag is one only sometimes.
    """

    name: str
    key: str
    size_bytes: int | None
    version: str | None
    md5: str | None = None
    md5_certain: bool = False
    is_link: bool = False


@dataclass(frozen=True)
class RemoteStore:
    """What lies at `address`, through `files`, a filesystem of fsspec, which calls it `root`."""

    address: str
    files: Any
    root: str

    @classmethod
    def open(cls, address: str) -> "RemoteStore":
        """Return the storage at an address; raise MissingExtra, StorePackageMissing, StoreUnknown and what it answers."""
        try:
            import fsspec
        except ImportError:
            raise MissingExtra("fsspec", "remote") from None
        scheme = scheme_of(address)
        try:
            files, root = fsspec.core.url_to_fs(address)
        except ImportError:
            raise StorePackageMissing(scheme, PACKAGES.get(scheme, f"that fsspec names for {scheme}")) from None
        except ValueError as fault:
            if "rotocol" in str(fault):
                raise StoreUnknown(address, scheme) from None
            raise fault_of(address, fault) from None
        except Exception as fault:
            raise fault_of(address, fault) from None
        return cls(address, files, str(root).rstrip("/"))

    @classmethod
    def open_split(cls, address: str) -> "RemoteStore":
        """Return the storage at an address, or at the folder beside it that means the same split where nothing is there.

        Raises what `open` does, and SplitFoldersAmbiguous where two folders mean that split.
        """
        store = cls.open(address)
        parent, _, name = store.root.rpartition("/")
        split = split_of(name)
        if split is None:
            return store
        try:
            if store.files.exists(store.root):
                return store
            beside = [str(place).rstrip("/").rpartition("/")[2] for place in store.files.ls(parent, detail=False)]
        except Exception as fault:
            raise fault_of(address, fault) from None
        found = sorted(folder for folder in beside if split_of(folder) == split)
        if len(found) > 1:
            raise SplitFoldersAmbiguous(address.rstrip("/").rpartition("/")[0], split, found)
        return cls.open(f"{address.rstrip('/').rpartition('/')[0]}/{found[0]}") if found else store

    def objects(self) -> Iterator[RemoteObject]:
        """Yield every object below the address; raise StoreNotFound, StoreRefused and StoreUnreachable."""
        try:
            self.files.invalidate_cache()
            found = self.files.find(self.root, detail=True)
            if not found and not self.files.exists(self.root):
                raise StoreNotFound(self.address)
        except BreastAIError:
            raise
        except Exception as fault:
            raise fault_of(self.address, fault) from None
        self.files.invalidate_cache()  # of millions, a second list of them all
        start = f"{self.root}/"
        while found:
            key, facts = found.popitem()
            if facts.get("type") != "directory" and key.startswith(start) and not key.endswith("/"):
                yield _described(key.removeprefix(start), key, facts)

    def looked_up(self, item: RemoteObject) -> RemoteObject:
        """Return an object as its storage describes it when asked for it alone."""
        return _described(item.name, item.key, self.files.info(item.key))

    def fetch(self, item: RemoteObject, target: Path) -> None:
        """Write an object's content to a file; raises whatever its storage does."""
        self.files.get_file(item.key, str(target))


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's content: what storages compare copies by."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fault_of(address: str, fault: BaseException) -> BreastAIError:
    """Return the error that says what a storage's answer means, without anything that would let others in."""
    if isinstance(fault, FileNotFoundError):
        return StoreNotFound(address)
    reason = error_text(fault)
    kind = f"{type(fault).__name__} {reason}".lower()
    if isinstance(fault, PermissionError) or any(sign in kind for sign in _REFUSALS):
        return StoreRefused(address, reason)
    return StoreUnreachable(address, reason)


def error_text(fault: BaseException) -> str:
    """Return a fault in one short line, without passwords, keys or signatures."""
    lines = str(fault).strip().splitlines()
    text = f"{type(fault).__name__}: {lines[0]}" if lines else type(fault).__name__
    for name, value in os.environ.items():
        if len(value) >= 4 and _SECRET_NAMES.search(name):
            text = text.replace(value, "***")
    return without_secrets(text)[:300]


def _described(name: str, key: str, facts: Mapping[str, Any]) -> RemoteObject:
    size = facts.get("size")
    version = next((f"{name}:{facts[name]}" for name in _VERSION_KEYS if facts.get(name)), None)
    md5, certain = _md5(facts)
    return RemoteObject(
        name, key, size if isinstance(size, int) else None, version, md5, certain, bool(facts.get("islink"))
    )


def _md5(facts: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Return the MD5 that a storage tells of an object, and whether it is one for certain."""
    content = facts.get("md5Hash") or (facts.get("content_settings") or {}).get("content_md5")
    if isinstance(content, str):
        content = base64.b64decode(content)
    if isinstance(content, bytes | bytearray) and len(content) == 16:
        return bytes(content).hex(), True
    tag = str(facts.get("ETag", "")).strip('"').lower()
    return (tag if _MD5.fullmatch(tag) else None), False
