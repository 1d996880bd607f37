"""Where images lie: a folder of this machine, or an address of shared storage such as s3://bucket/folder."""

import re
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+", re.ASCII)
_LONGEST = 1000
# Where what stands before an @ is no user: abfs://container@account.dfs.core.windows.net/folder.
_CONTAINER_BEFORE_AT = frozenset({"abfs", "abfss", "az", "adl"})
_USER_ALLOWED = frozenset({"sftp", "ssh", "smb"})
_SECRETS = (
    (re.compile(r"(://)[^/@\s'\"]*:[^@\s'\"]*@"), r"\1***@"),
    (re.compile(r"(://[^?\s'\"]*\?)[^\s'\"]+"), r"\1***"),
)


def is_remote(place: str) -> bool:
    """Return whether a place is an address of shared storage; else it is a folder."""
    return "://" in place


def scheme_of(address: str) -> str:
    return address.partition("://")[0].lower()


def checked_place(place: str) -> str:
    """Return a place, an address in its one way of writing; raise ValueError for one that can't or mustn't be used.

    What lets one in has no place in an address: every record of a run would keep it.
    """
    if not is_remote(place):
        return place
    scheme, rest = scheme_of(place), place.partition("://")[2].rstrip("/")
    authority, _, path = rest.partition("/")
    if "::" in place:
        raise ValueError("an address that leads through another one (::) is not followed")
    if "?" in place or (
        "@" in authority
        and scheme not in _CONTAINER_BEFORE_AT
        and (scheme not in _USER_ALLOWED or ":" in authority.rpartition("@")[0])
    ):
        raise ValueError(
            "passwords, keys and signatures do not belong in an address, where every record of the run would keep "
            "them; set them in the environment of whoever reads, as the storage's own tools have it"
        )
    if not rest or _SCHEME.fullmatch(scheme) is None:
        raise ValueError("this address names nothing; expected for example s3://bucket/folder")
    if len(place) > _LONGEST or not rest.isprintable() or "\\" in rest:
        raise ValueError("expected an address such as s3://bucket/folder")
    if any(unquote(part) in ("", ".", "..") for part in path.split("/") if path):
        raise ValueError("an address has no empty parts and none that is . or ..")
    return f"{scheme}://{rest}"


def lies_below(address: str, root: str) -> bool:
    """Return whether an address is `root` or below it; both as `checked_place` returns them."""
    return address == root or address.startswith(f"{root}/")


def without_secrets(text: str) -> str:
    """Return a text in which addresses have lost their passwords and signatures."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
