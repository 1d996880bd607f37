"""What one kind of flood after the other costs a well-behaved client: frames without end, messages made to be slow.

    python benchmarks/floods.py [--seconds 10] [--connections 2] [KIND ...]

A server in a process of its own, a job that talks, two connections that send as fast as they can and one client that
pings, in a process of its own. Prints a JSON object for each kind: the pings, and the share of a core the server used.
"""

import argparse
import asyncio
import json
import logging
import socket
import tempfile
import time
from typing import Any

import psutil
from fuzz_protocol import Pinging, quantiles, start_server

TEXT, CONTINUED, PING, PONG, FINAL = 0x01, 0x00, 0x09, 0x0A, 0x80
_SLOW_BYTES = 2**20 - 2**10


def frame(head: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it, with a mask of zeros."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 2**16:
        length = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return bytes([head]) + length + bytes(4) + payload


def list_of(each: bytes) -> bytes:
    """Return a message with a list of `each`, as long as a message may be."""
    return b'{"type":"ping","x":[' + b",".join([each] * (_SLOW_BYTES // (len(each) + 1))) + b"]}"


KINDS = {
    "pings": frame(FINAL | PING, b"") * 20_000,
    "pongs": frame(FINAL | PONG, b"") * 20_000,
    "fragments": frame(TEXT, b"x") + frame(CONTINUED, b"x") * 20_000,
    "messages": frame(FINAL | TEXT, b"{}") * 20_000,
    "objects": frame(FINAL | TEXT, list_of(b"{}")),
    "numbers": frame(FINAL | TEXT, list_of(b"9" * 4000)),
    "keys": frame(FINAL | TEXT, b'{"type":"ping",' + b",".join(b'"%06d":1' % n for n in range(95_000)) + b"}"),
}


async def flood(port: int, what: bytes, until: float) -> int:
    """Send `what` again and again, over a new connection when one was ended; return how many bytes."""
    loop, sent = asyncio.get_running_loop(), 0
    while time.monotonic() < until:
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setblocking(False)
        opening = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        opening += "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        reading = asyncio.create_task(read_all(raw))
        try:
            await loop.sock_sendall(raw, opening.encode())
            while time.monotonic() < until:
                async with asyncio.timeout(2):
                    await loop.sock_sendall(raw, what)
                sent += len(what)
                await asyncio.sleep(0)
        except OSError:  # also a timeout: the server reads no more for now
            await asyncio.sleep(0.01)
        finally:
            reading.cancel()
            raw.close()
    return sent


async def read_all(raw: socket.socket) -> None:
    try:
        while await asyncio.get_running_loop().sock_recv(raw, 2**16):
            pass
    except OSError:
        return


async def measure(kind: str, seconds: float, connections: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as workspace:
        server, port = await start_server(workspace, None)
        try:
            process = psutil.Process(server.pid)
            pinging = await Pinging(f"ws://127.0.0.1:{port}").begun()
            cpu, until = sum(process.cpu_times()[:2]), time.monotonic() + seconds
            sent = await asyncio.gather(*(flood(port, KINDS[kind], until) for _ in range(connections)))
            share = (sum(process.cpu_times()[:2]) - cpu) / seconds
            return {
                "kind": kind,
                "ping_ms": quantiles(await pinging.end()),
                "server_core_share": round(share, 3),
                "sent_mb": round(sum(sent) / 1e6, 1),
                "rss_mib": round(process.memory_info().rss / 2**20, 1),
            }
        finally:
            server.terminate()
            await server.wait()


def main() -> None:
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # of connections that the server ended
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each flood")
    parser.add_argument("--connections", type=int, default=2, help="that flood")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        print(json.dumps(asyncio.run(measure(kind, arguments.seconds, arguments.connections))), flush=True)


if __name__ == "__main__":
    main()
