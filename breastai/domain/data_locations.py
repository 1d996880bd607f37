"""Where images lie: a folder of this machine, or an address of shared storage such as s3://bucket/folder."""

import re
from urllib.parse import unquote

from breastai.domain.faults import UnusableSetting

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+", re.ASCII)
_LONGEST = 1000
# Where what stands before an @ is no user: abfs://container@account.dfs.core.windows.net/folder.
_CONTAINER_BEFORE_AT = frozenset({"abfs", "abfss", "az", "adl"})
_USER_ALLOWED = frozenset({"sftp", "ssh", "smb"})
_SECRETS = (
    (re.compile(r"(://)[^/@\s'\"]*:[^@\s'\"]*@"), r"\1***@"),
    (re.compile(r"(://[^?\s'\"]*\?)[^\s'\"]+"), r"\1***"),
)


# How files end that list cases or hold them: labels tables, descriptions, arrays.
SHEET_ENDINGS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", *SHEET_ENDINGS)
CASE_LIST_ENDINGS = (*TABLE_ENDINGS, ".json", ".npz")


def names_case_list(place: str) -> bool:
    """Return whether a place is, by its name, a file that lists cases or holds them rather than a folder."""
    return not is_remote(place) and place.lower().endswith(CASE_LIST_ENDINGS)


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
        raise UnusableSetting("fault.chained_address")
    if "?" in place or (
        "@" in authority
        and scheme not in _CONTAINER_BEFORE_AT
        and (scheme not in _USER_ALLOWED or ":" in authority.rpartition("@")[0])
    ):
        raise UnusableSetting("fault.secrets_in_address")
    if not rest or _SCHEME.fullmatch(scheme) is None:
        raise UnusableSetting("fault.address_of_nothing")
    if len(place) > _LONGEST or not rest.isprintable() or "\\" in rest:
        raise UnusableSetting("expected.address")
    if any(unquote(part) in ("", ".", "..") for part in path.split("/") if path):
        raise UnusableSetting("fault.address_parts")
    return f"{scheme}://{rest}"


def lies_below(address: str, root: str) -> bool:
    """Return whether an address is `root` or below it; both as `checked_place` returns them."""
    return address == root or address.startswith(f"{root}/")


def without_secrets(text: str) -> str:
    """Return a text in which addresses have lost their passwords and signatures."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
