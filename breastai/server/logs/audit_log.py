"""logs/audit.log: who connected, who was refused, and who asked for what. One JSON object a line; no pixel, no token.

Requests that only look are counted and told when their connection closes; every other has a line of its own, with its
answer. Of a request are written the names in `NAMED` alone, and of a configuration which settings it sets.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from breastai.domain.requests import Request

AUDIT = logging.getLogger("breastai.audit")
NAMED = (
    "session_id", "run_id", "checkpoint", "first", "second", "data", "split", "format", "preset", "epochs", "language",
    "pdf", "docx", "backup", "name", "path", "kind", "queue", "entry", "place", "held", "models", "keep", "heat_maps",
)  # fmt: skip
_LONGEST = 300
_MOST_SETTINGS = 100


def tell(happened: str, peer: str, **facts: Any) -> None:
    """Write a line: what happened, the peer's address and port, and `facts` without those that are None."""
    values = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "happened": happened, "peer": peer}
    values |= {key: _short(value) for key, value in facts.items() if value is not None}
    AUDIT.info("%s", json.dumps(values, ensure_ascii=True))


def request_fields(request: Request) -> dict[str, Any]:
    """Return what of a request is written down."""
    given = request.model_dump(mode="json", exclude_unset=True)
    named = {name: given[name] for name in NAMED if given.get(name) is not None}
    if isinstance(given.get("config"), Mapping):
        named["settings"] = [name[:100] for name in islice(_settings(given["config"]), _MOST_SETTINGS)]
    return {"asked": getattr(request, "type", type(request).__name__), **named}


def _settings(config: Mapping[str, Any], section: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, Mapping) and not section:
            yield from _settings(value, f"{key}.")
        else:
            yield f"{section}{key}"


def _short(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value
