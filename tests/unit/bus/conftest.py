"""Each kind of bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.local import LocalWorkerBus
from runyard.runtime.bus.port import WorkerBus
from runyard.runtime.bus.unix_socket import SocketWorkerBus, accept_worker

from .backends import Backend


@pytest.fixture(params=["unix socket", "in process"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    server = LinkedBus()
    joined: list[WorkerBus] = []
    if request.param == "in process":

        async def join() -> WorkerBus:
            joined.append(LocalWorkerBus(server))
            return joined[-1]

        yield Backend(server, join)
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
