"""Each kind of bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.local import LocalWorkerBus
from runyard.runtime.bus.peers.bus import PeeredBus
from runyard.runtime.bus.port import WorkerBus
from runyard.runtime.bus.unix_socket import SocketWorkerBus, accept_worker

from .backends import Backend
from .memory_transport import Hub, MemoryTransport
from .peer_servers import Server, Servers, settled


@pytest.fixture(params=["unix socket", "in process", "among servers"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    server = LinkedBus()
    joined: list[WorkerBus] = []
    end = PeeredBus(server, MemoryTransport(Hub()), Loops()) if request.param == "among servers" else server
    if request.param != "unix socket":

        async def join() -> WorkerBus:
            joined.append(LocalWorkerBus(server))
            return joined[-1]

        yield Backend(end, join)
    else:
        path = str(tmp_path / "bus")
        listening = await asyncio.get_running_loop().create_unix_server(lambda: accept_worker(server), path)

        async def connect() -> WorkerBus:
            bus = SocketWorkerBus(lambda: None)
            await bus.connect(path)
            joined.append(bus)
            return bus

        yield Backend(server, connect)
        listening.close()
    for bus in joined:
        bus.close()


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def servers(hub: Hub) -> AsyncIterator[Servers]:
    started: list[Server] = []

    async def start(**options: bool) -> Server:
        started.append(await Server(hub, **options).start())
        await settled()
        return started[-1]

    yield start
    for server in started:
        await server.bus.stop()
