"""Every open connection, also those that have not said yet what they want: how many there may be of either."""

from websockets.asyncio.server import ServerConnection

from breastai.server.logs.server_log import LOG

# Beside the clients: page files under way, and those that are being refused.
MOST_OPEN = 800
# Of those that have not asked for anything yet, the oldest goes when one more comes.
MOST_SILENT = 128


class OpenConnections:
    """The connections of one server, over all its sockets."""

    def __init__(self) -> None:
        self._open: set[ServerConnection] = set()
        self._silent: dict[ServerConnection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def silent(self) -> int:
        return len(self._silent)

    def enter(self, connection: ServerConnection) -> None:
        """Count a connection that was opened; end the oldest silent one, or this one, when there are too many."""
        if len(self._open) >= MOST_OPEN:
            LOG.warning("a connection was ended: %d are open", len(self._open))
            connection.transport.abort()
            return
        self._open.add(connection)
        self._silent[connection] = None
        if len(self._silent) > MOST_SILENT:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            oldest.transport.abort()

    def note_request(self, connection: ServerConnection) -> None:
        """The connection has said what it wants."""
        self._silent.pop(connection, None)

    def leave(self, connection: ServerConnection) -> None:
        self._silent.pop(connection, None)
        self._open.discard(connection)
