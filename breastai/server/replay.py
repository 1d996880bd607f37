"""Bringing a client that comes back up to date: the events of the run it missed, each once and in order."""

import asyncio
import json
from pathlib import Path

from breastai.server.hub import Client, Hub
from breastai.server.job_runner import RequestId, status
from breastai.server.session import Session

_SEND_WITHIN_S = 30.0


async def replay(
    hub: Hub, client: Client, session: Session, journal: Path, last_seq: int, request_id: RequestId
) -> None:
    """Send the status, then the events after `last_seq`, to one client; new events are held back meanwhile.

    Events too old for the session's memory come from the run's journal, which keeps all but progress.
    """
    async with client.replay_lock:
        hub.hold(client)
        try:
            latest = status(session, hub, request_id=request_id)
            recent = [(seq, text) for seq, text in session.recent if seq > last_seq]
            complete_from = recent[0][0] if recent else (session.seq or 0) + 1
            older: list[str] = []
            if complete_from > last_seq + 1:
                older = await asyncio.to_thread(_read_lines, journal, last_seq, complete_from)
            missed = older + [text for _, text in recent]
            hub.send(client, latest.model_copy(update={"missed": len(missed)}))
            for text in missed:
                await _send(client, text)
            # Loops as long as new ones come; leaves with no await between the last of them and the release.
            while client.held:
                await _send(client, client.held.pop(0))
        finally:
            hub.release(client)


async def _send(client: Client, text: str) -> None:
    async with asyncio.timeout(_SEND_WITHIN_S):
        await client.connection.send(text)


def _read_lines(journal: Path, after: int, before: int) -> list[str]:
    """Return the lines whose number lies between the two, as they stand; torn or foreign lines are passed over."""
    lines: list[str] = []
    try:
        file = journal.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return lines
    with file:
        for line in file:
            try:
                seq = json.loads(line)["seq"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(seq, int) and after < seq < before:
                lines.append(line.rstrip("\n"))
    return lines
