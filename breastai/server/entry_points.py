"""Other doors into the same services, and pages of their own, each an extra; and what a door is given to open with.

They are named here and imported nowhere: their module is found by its name when it is asked for, as a worker finds the
function of a job. So a server without doors loads none of what they need.
"""

import importlib
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

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
# By the extra that each needs.
ENTRY_POINTS = {"rest": "breastai.apps.rest:open_door", "gradio": "breastai.apps.review_app:serve_review"}


def load_entry_point(name: str) -> Callable[..., Any]:
    """Return what opens a door for as long as its block runs, or serves a page; raise MissingExtra."""
    module, _, function = ENTRY_POINTS[name].partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        return found
    except ModuleNotFoundError as fault:
        missing = (fault.name or "").partition(".")[0]
        if missing in ("", "breastai"):
            raise
        raise MissingExtra(missing, name) from None
