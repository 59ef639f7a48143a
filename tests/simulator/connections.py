# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connections of clients: a fault can cut them, and refuse new ones for a while."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections(H11Protocol):
    """uvicorn's HTTP protocol, which also remembers the open connections."""

    transports: ClassVar[dict[tuple[str, int], asyncio.BaseTransport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transports[transport.get_extra_info("peername")] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.pop(self.transport.get_extra_info("peername"), None)
        super().connection_lost(exc)

    @classmethod
    def cut(cls, client: tuple[str, int]) -> None:
        """The client sees a connection that ends without an answer."""
        transport = cls.transports.get(client)
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    @classmethod
    def end(cls, client: tuple[str, int]) -> None:
        """Like ``cut``, but what was written still arrives."""
        transport = cls.transports.get(client)
        if isinstance(transport, asyncio.Transport):
            transport.close()

    @classmethod
    def cut_all(cls) -> None:
        for client in list(cls.transports):
            cls.cut(client)


def listening_socket(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named: 40 ms a call.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener


class Server(uvicorn.Server):
    """uvicorn's server, which can close its door for a while. There is one in a process."""

    serving: ClassVar[Server | None] = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        Server.serving = self

    async def refuse(self, seconds: float) -> None:
        """Connections are refused, and open ones are cut."""
        address = self.servers[0].sockets[0].getsockname()[:2]
        self.servers.pop().close()
        Connections.cut_all()
        await asyncio.sleep(seconds)
        listener = listening_socket(*address)
        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(self._protocol, sock=listener))

    def _protocol(self) -> asyncio.Protocol:
        return Connections(self.config, self.server_state, self.lifespan.state)


async def refuse_connections(seconds: float) -> None:
    """Does nothing where there is no server: the application may run without."""
    if Server.serving:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(asyncio.ensure_future(Server.serving.refuse(seconds)))
