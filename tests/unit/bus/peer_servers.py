"""Server processes of a bus with one worker each, joined within this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.local import LocalWorkerBus
from runyard.runtime.bus.messages import (
    Ended,
    Followed,
    FromWorker,
    RunEvents,
    ToWorker,
    Welcome,
)
from runyard.runtime.bus.peers.bus import PeeredBus

from .backends import Backend, Told
from .memory_transport import Hub, MemoryTransport

EVENT = ("values", b"{}")


class Server:
    """A server process with one worker."""

    def __init__(self, hub: Hub, *, secret: bool = False) -> None:
        self.links = LinkedBus()
        self.transport = MemoryTransport(hub)
        self.bus = PeeredBus(self.links, self.transport, Loops(), secret=secret)
        self._backend = Backend(self.bus, self._join)
        self.hears = self._backend.hears
        self.worker: Told

    async def _join(self) -> LocalWorkerBus:
        return LocalWorkerBus(self.links)

    async def start(self) -> Server:
        await self.bus.start()
        self.worker = await self._backend.greeted("worker")
        return self

    def says(self, *messages: FromWorker) -> None:
        """What its worker says."""
        for message in messages:
            self.worker.bus.send(message)

    def relay(self, message: RunEvents) -> None:
        """Passes on what its worker says, at once."""
        assert self.links.relay is not None
        self.links.relay.relay(message)

    def followed(self) -> list[Followed]:
        """What is followed elsewhere."""
        assert self.links.relay is not None
        return list(self.links.relay.interests())

    async def told(self) -> list[ToWorker]:
        """What its worker was told since the last look."""
        await settled()
        self.links.tell(Welcome())
        return await self.worker.until(Welcome())

    async def heard(self) -> list[FromWorker]:
        """What was said here of runs since the last look."""
        await settled()
        said, self.hears.runs = self.hears.runs, []
        return said


async def settled() -> None:
    """All that is on its way within the process arrives."""
    for _ in range(30):
        await asyncio.sleep(0)


Servers = Callable[..., Awaitable[Server]]


def events(run_id: str = "run", *, before: int = 0, asked: bool = False, first: int = 0) -> RunEvents:
    return RunEvents(run_id, "thread", [EVENT], first, before, asked)


def ended(run_id: str = "run", *, asked: bool = False, answer: bytes | None = b"1") -> Ended:
    return Ended(run_id, "thread", "success", answer, 0, 0.0, 0.0, asked)


class BusAmongOthers(LinkedBus):
    """Keeps for how many runs others were woken."""

    def __init__(self) -> None:
        super().__init__()
        self.woken_elsewhere: list[int] = []
        self.wake_up = asyncio.Event()
        self.others: list[str] = []
        self.answers: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    def wake_elsewhere(self, ready: int) -> None:
        self.woken_elsewhere.append(ready)
        self.wake_up.set()

    def elsewhere(self) -> list[str]:
        return self.others

    def answer_flush(self, server: str, number: int) -> None:
        self.answers.put_nowait((server, number))
