"""A network that can be lost: a TCP proxy on a port of its own, between a browser and a server."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable


class CuttableProxy:
    """Passes bytes to `port` while the block runs, until it is told to stop.

    `pull` is a cable pulled out: nothing more arrives, on either side, and nothing is closed; new connections are taken
    and hear nothing. `cut` closes all there is and refuses what is new. `mend` lets new connections through again;
    what was pulled stays dead.
    """

    def __init__(self, port: int) -> None:
        self.to_port = port
        self._state = "whole"
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy")
        self.port = 0

    def __enter__(self) -> "CuttableProxy":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def pull(self) -> None:
        self._become("pulled")

    def cut(self) -> None:
        self._become("cut")

    def mend(self) -> None:
        self._become("whole")

    def _become(self, state: str) -> None:
        done = threading.Event()

        def change() -> None:
            self._state = state
            if state != "whole":
                for task in self._tasks:
                    task.cancel()
            if state == "cut":
                for writer in self._writers:
                    writer.transport.abort()
                self._writers.clear()
            done.set()

        self._loop.call_soon_threadsafe(change)
        assert done.wait(30)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._taken, "localhost", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "cut":
            writer.transport.abort()
            return
        self._writers.append(writer)
        if self._state == "pulled":
            return
        there_reader, there_writer = await asyncio.open_connection("localhost", self.to_port)
        self._writers.append(there_writer)
        there_writer.write(self._forwarded(await reader.read(2**16)))
        for source, target in ((reader, there_writer), (there_reader, writer)):
            self._keep(self._pass(source, target))

    def _forwarded(self, request: bytes) -> bytes:
        """Return what is passed on of the start of a request."""
        return request

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(2**16):
                target.write(data)
                await target.drain()
            target.close()


class PathProxy(CuttableProxy):
    """A reverse proxy that has a server under `path`, as nginx does by default: the server sees another path and Host.

    The server's port, `to_port`, may be told once there is one. What lies elsewhere on the host is not the server's.
    """

    def __init__(self, path: str) -> None:
        super().__init__(0)
        self._path = path.encode()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}{self._path.decode()}"

    def _forwarded(self, request: bytes) -> bytes:
        head, end, body = request.partition(b"\r\n\r\n")
        asked, *lines = head.split(b"\r\n")
        method, target, version = asked.split(b" ")
        target = b"/" + target.removeprefix(self._path) if target.startswith(self._path) else b"/elsewhere" + target
        host = b"Host: 127.0.0.1:%d" % self.to_port
        kept = [line for line in lines if not line.lower().startswith((b"host:", b"connection: keep-alive"))]
        # One request a connection: the next might be passed on without a look.
        closes = [] if any(line.lower().startswith(b"upgrade:") for line in kept) else [b"Connection: close"]
        return b"\r\n".join([b" ".join([method, target, version]), host, *kept, *closes]) + end + body


Loss = Callable[[CuttableProxy], None]
# The ways to lose a network, by what they are called.
LOSSES: dict[str, Loss] = {"cut": CuttableProxy.cut, "pulled": CuttableProxy.pull}
