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
from breastai.server.access import Access
from breastai.server.gate import Gate
from breastai.server.services import Services
from breastai.server.sockets import Listening


@dataclass(frozen=True)
class Doorstep:
    """What a door opens on: its own sockets, the services behind it, and the rule of who may come in."""

    services: Services
    listening: Listening
    access: Access
    gate: Gate
    tls: ssl.SSLContext | None


Door = Callable[[Doorstep], AbstractAsyncContextManager[None]]
DOORS = {"rest": "breastai.apps.rest:open_door"}


def door(name: str) -> Door:
    """Return what opens a door for as long as its block runs; raise MissingExtra."""
    module, _, function = DOORS[name].partition(":")
    try:
        return cast(Door, getattr(importlib.import_module(module), function))
    except ModuleNotFoundError as fault:
        missing = (fault.name or "").partition(".")[0]
        if missing in ("", "breastai"):
            raise
        raise MissingExtra(missing, name) from None
