"""Bringing a client that comes back up to date: the events of the run it missed, each once and in order."""

import asyncio
from pathlib import Path

from breastai.server.connections.broadcast import Broadcaster, Client
from breastai.server.jobs.job_runner import RequestId, status
from breastai.server.jobs.session import Session
from breastai.storage.journal import lines_between

_SEND_WITHIN_S = 30.0


async def replay(
    hub: Broadcaster,
    client: Client,
    session: Session,
    journal: Path,
    last_seq: int,
    request_id: RequestId,
    most: int | None = None,
) -> None:
    """Send the status, then the events after `last_seq`, to one client; new events are held back meanwhile.

    Events too old for the session's memory come from the run's journal, which keeps all but progress. Of more than
    `most` events only the latest come.
    """
    async with client.replay_lock:
        hub.hold(client)
        try:
            latest = status(session, hub, request_id=request_id)
            recent = [(seq, text) for seq, text in session.recent if seq > last_seq]
            complete_from = recent[0][0] if recent else (session.seq or 0) + 1
            missed, left_out = [text for _, text in recent], False
            if most is not None and len(missed) > most:
                missed, left_out = missed[-most:], True
            elif complete_from > last_seq + 1:
                room = None if most is None else most - len(missed)
                older, left_out = await asyncio.to_thread(lines_between, journal, last_seq, complete_from, room)
                missed = older + missed
            hub.send(client, latest.model_copy(update={"missed": len(missed), "left_out": left_out}))
            for text in missed:
                await _send(client, text)
            # Loops as long as new ones come; leaves with no await between the last of them and the release.
            while client.held:
                await _send(client, client.held.pop(0))
        finally:
            hub.release(client)


async def _send(client: Client, text: str) -> None:
    async with asyncio.timeout(_SEND_WITHIN_S):
        await client.deliver(text)
