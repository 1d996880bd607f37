"""Other doors into the same services, each an extra: which there are, and what each is given to open with.

The server names them and imports none: a door's module is found by its name when its setting asks for it, as a worker
finds the function of a job. So a server without doors loads none of what they need.
"""

import importlib
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import cast

from breastai.domain.errors import MissingExtra
from breastai.server.access.admission import Admission
from breastai.server.access.connection_rules import Access
from breastai.server.connections.sockets import Listening
from breastai.server.services import Services


@dataclass(frozen=True)
class EntryPoint:
    """What a door opens on: its own sockets, the services behind it, and the rule of who may come in."""

    services: Services
    listening: Listening
    access: Access
    gate: Admission
    tls: ssl.SSLContext | None


Door = Callable[[EntryPoint], AbstractAsyncContextManager[None]]
ENTRY_POINTS = {"rest": "breastai.apps.rest:open_door"}


def load_entry_point(name: str) -> Door:
    """Return what opens a door for as long as its block runs; raise MissingExtra."""
    module, _, function = ENTRY_POINTS[name].partition(":")
    try:
        return cast(Door, getattr(importlib.import_module(module), function))
    except ModuleNotFoundError as fault:
        missing = (fault.name or "").partition(".")[0]
        if missing in ("", "breastai"):
            raise
        raise MissingExtra(missing, name) from None
