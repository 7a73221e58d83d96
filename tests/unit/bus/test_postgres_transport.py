"""Packets between server processes by LISTEN and NOTIFY of a real Postgres."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import psycopg
import pytest

from runyard.runtime.bus.peers.transport import Packed
from runyard.runtime.bus.postgres import transport as transport_module
from runyard.runtime.bus.postgres.transport import PACKET_SIZE, PostgresTransport
from runyard.runtime.bus.postgres.wire import APPLICATION, Wire
from tests.storage.postgres_server import address

Arrived = tuple[bytes, bool]


class End:
    """A server process that only keeps what arrives."""

    def __init__(self, schema: str | None, url: str | None = None) -> None:
        self.transport = PostgresTransport(url or address(), schema)
        self.waiting: deque[Packed] = deque()
        self.arrivals: asyncio.Queue[Arrived] = asyncio.Queue()
        self.changes: asyncio.Queue[str] = asyncio.Queue()
        self.taken: list[int] = []

    async def start(self, name: str) -> End:
        await self.transport.start(name, self)
        return self

    def send(self, to: str | None, *packets: bytes) -> None:
        self.waiting.extend(Packed(to, packet) for packet in packets)
        self.transport.wake()

    async def next(self) -> Arrived:
        return await asyncio.wait_for(self.arrivals.get(), 60)

    def take(self) -> Sequence[Packed]:
        taken = list(self.waiting)
        self.waiting.clear()
        self.taken.append(len(taken))
        return taken

    def arrived(self, data: bytes, *, to_all: bool) -> None:
        if data == b"broken":
            raise ValueError(data)
        self.arrivals.put_nowait((data, to_all))

    def connected(self) -> None:
        self.changes.put_nowait("connected")

    def disconnected(self) -> None:
        self.changes.put_nowait("disconnected")


Join = Callable[..., Awaitable[End]]


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    joined: list[End] = []
    own = f"t{uuid.uuid4().hex}"

    async def join(name: str, schema: str | None = own) -> End:
        joined.append(await End(schema).start(name))
        assert joined[-1].transport.state == "connected"
        return joined[-1]

    yield join
    for end in joined:
        await end.transport.stop()


async def test_packets_arrive_in_their_order_at_all_or_at_one(join: Join) -> None:
    one, other, third = await join("one"), await join("other"), await join("third")
    longest = bytes(range(256)) * (PACKET_SIZE // 256)
    one.send(None, longest, b"2")
    one.send("other", b"3")
    one.send(None, b"4")
    assert [await other.next() for _ in range(4)] == [(longest, True), (b"2", True), (b"3", False), (b"4", True)]
    assert [await third.next() for _ in range(3)] == [(longest, True), (b"2", True), (b"4", True)]


async def test_what_gathers_while_something_is_told_goes_together(join: Join) -> None:
    one, other = await join("one"), await join("other")
    for number in range(100):
        one.send("other", b"%d" % number)
        await asyncio.sleep(0)
    assert [(await other.next())[0] for _ in range(100)] == [b"%d" % number for number in range(100)]
    assert max(one.taken) > 1


async def test_two_schemas_do_not_hear_each_other(join: Join) -> None:
    one, other, public = await join("one", "a"), await join("other", "b"), await join("public", None)
    same = await join("same", "a")
    one.send(None, b"1")
    one.send("other", b"2")
    assert await same.next() == (b"1", True)
    for end in (other, public):
        end.send(end.transport._address, b"own")
        assert await end.next() == (b"own", False)


async def test_a_packet_that_cannot_be_taken_holds_up_none(join: Join) -> None:
    one, other = await join("one"), await join("other")
    one.send("other", b"broken", b"next")
    assert await other.next() == (b"next", False)


@pytest.mark.parametrize("cut", ["listen%", "%pg_notify%"])
async def test_a_connection_that_is_cut_is_made_again(join: Join, cut: str) -> None:
    one, other = await join("one"), await join("other")
    assert await one.changes.get() == await other.changes.get() == "connected"
    one.send(None, b"1")
    await other.next()
    with psycopg.connect(address(), autocommit=True) as connection:
        ended = connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s and query like %s",
            (APPLICATION, cut),
        ).rowcount
    assert ended >= 2
    for end in (one, other):
        assert await asyncio.wait_for(end.changes.get(), 60) == "disconnected"
        assert await asyncio.wait_for(end.changes.get(), 60) == "connected"
    one.send(None, b"2")
    while await other.next() != (b"2", True):
        pass


async def test_a_connection_that_swallows_everything_is_given_up(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "TRIAL_INTERVAL", 0.02)
    monkeypatch.setattr(transport_module, "TRIAL_TIME", 60.0)
    end = await join("one")
    assert await end.changes.get() == "connected"
    monkeypatch.setattr(transport_module, "TRIAL_TIME", 0.5)
    with psycopg.connect(address(), autocommit=True) as connection:
        found = connection.execute(
            "select pid from pg_stat_activity where application_name = %s and query like %s",
            (APPLICATION, f"listen%{end.transport._one}%"),
        ).fetchone()
    assert found is not None
    os.kill(found[0], signal.SIGSTOP)
    try:
        assert await asyncio.wait_for(end.changes.get(), 60) == "disconnected"
        monkeypatch.setattr(transport_module, "TRIAL_TIME", 60.0)
        assert await asyncio.wait_for(end.changes.get(), 60) == "connected"
    finally:
        os.kill(found[0], signal.SIGCONT)
    end.send("one", b"1")
    assert await end.next() == (b"1", False)


async def test_where_nothing_is_heard_it_is_known_that_nothing_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a pooler that gives each statement another session."""
    execute = Wire.execute

    async def deaf(self: Wire, statement: bytes, parameters: Sequence[bytes] = ()) -> bytes | None:
        return None if statement.startswith(b"listen") else await execute(self, statement, parameters)

    monkeypatch.setattr(Wire, "execute", deaf)
    monkeypatch.setattr(transport_module, "TRIAL_TIME", 0.05)
    end = await End("s").start("one")
    assert end.transport.state == "polling"
    assert end.changes.empty()
    assert "pooler" in caplog.text
    await end.transport.stop()


async def test_a_database_that_cannot_be_reached_is_waited_for_without_telling_its_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    end = await End("s", "postgresql://me:secret@127.0.0.1:1/name").start("one")
    assert end.transport.state == "connecting"
    await end.transport.stop()
    assert "cannot be reached" in caplog.text
    assert "secret" not in caplog.text
