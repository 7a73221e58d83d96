"""Carries packets by LISTEN and NOTIFY: a channel for all server processes of a schema, and one for each.

Two connections of its own: one listens, one tells. What has gathered while one statement is under way goes with the
next. Whether what is told is heard is tried out, at the beginning and every few seconds: behind a pooler that shares
connections among its clients nothing is, and a connection may swallow all without an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from binascii import a2b_base64, b2a_base64
from hashlib import blake2b
from typing import Any, Final

from runyard.runtime.bus.peers.transport import PacketEnd, TransportState
from runyard.runtime.bus.postgres.wire import Wire
from runyard.runtime.errors import Unavailable

logger = logging.getLogger(__name__)

PACKET_SIZE: Final = 5900
"""Bytes that, as base64, are shorter than the 8,000 that a notification may have."""
NOTIFY: Final = (
    b"select pg_notify(c, p), set_config('synchronous_commit', 'off', true) from unnest($1::text[], $2::text[]) t(c, p)"
)
"""Nothing is waited for but the commit in memory: what is told need not survive a crash."""
TRIAL_INTERVAL = 2.0
"""Seconds between trials whether what is told is heard."""
TRIAL_TIME = 3.0
"""Seconds without hearing one beyond which nothing is believed to be heard."""
DEAF_PAUSE = 30.0
"""Seconds until the next attempt where connections can be had, but nothing is heard."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds until the next attempt after a connection was lost; doubled each time."""
START_TIME = 3.5
"""Seconds for which the start waits for the first attempt."""
LAST_WORDS = 1.0
"""Seconds for what is left to be told at the end."""
TRIAL: Final = b"?"
"""Begins the payload of a trial; no packet's does."""


class _NothingHeard(Exception):
    """Notifications do not arrive."""


class PostgresTransport:
    """A `Transport`."""

    packet_size = PACKET_SIZE

    def __init__(self, url: str, schema: str | None) -> None:
        """`url`: a connection string of libpq. `schema`: where the tables lie; None: where the search path leads."""
        self._url = url
        self._schema = schema
        self._state: TransportState = "connecting"
        self._end: PacketEnd | None = None
        self._address = ""
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._woken = asyncio.Event()
        self._heard = asyncio.Event()
        self._trial = False
        self._stopping = False
        self._all = self._one = ""
        self._complained = ""

    @property
    def state(self) -> TransportState:
        return self._state

    async def start(self, address: str, end: PacketEnd) -> None:
        self._address, self._end = address, end
        self._task = asyncio.create_task(self._keep(), name="connection to other servers")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), START_TIME)

    def wake(self) -> None:
        self._woken.set()

    async def stop(self) -> None:
        self._stopping = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=LAST_WORDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                await self._serve()
            except Unavailable as error:
                if self._state == "connected":
                    failures = min(failures, 1)  # it can be had: streams wait for it
                self._became("connecting", error.detail)
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10))
                failures += 1
            except _NothingHeard:
                self._became(
                    "polling",
                    "notifications of the database do not arrive here, as behind a pooler in transaction mode "
                    "(RUNYARD_DATABASE_DIRECT can name the database itself)",
                )
                pause = DEAF_PAUSE
            except Exception:  # it is the purpose of this loop to go on
                logger.exception("the connection to other servers failed; trying again")
                self._became("connecting", "")
                pause = LONGEST_PAUSE
            else:
                return
            self._tried.set()
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    while not self._stopping:
                        await self._woken.wait()
                        self._woken.clear()

    def _became(self, state: TransportState, why: str) -> None:
        before, self._state = self._state, state
        if before == "connected" and self._end is not None:
            self._end.disconnected()
        if why and why != self._complained:
            logger.warning("%s: what other servers do is asked of storage until they can be heard", why)
        self._complained = why

    async def _serve(self) -> None:
        """Returns when there is nothing more to be told. Raises Unavailable when a connection is lost, _NothingHeard
        when nothing of what is told comes back."""
        async with contextlib.AsyncExitStack() as exits:
            hearing = await Wire.open(self._url)
            exits.callback(hearing.close)
            telling = await Wire.open(self._url)
            exits.callback(telling.close)
            schema = self._schema
            if schema is None:
                schema = (await hearing.execute(b"select current_schema()") or b"").decode()
            all_channel = f"runyard_{blake2b(schema.encode(), digest_size=8).hexdigest()}"
            self._all, self._one = all_channel, f"{all_channel}_{self._address}"
            hearing.notified = self._notified
            for channel in (self._all, self._one):
                await hearing.execute(f'listen "{channel}"'.encode())
            await self._try_out(hearing, telling)
            self._became("connected", "")
            assert self._end is not None
            self._end.connected()
            self._tried.set()
            tell: asyncio.Future[None] = asyncio.ensure_future(self._tell(telling))
            exits.push_async_callback(_cancelled, tell)
            trials: asyncio.Future[None] = asyncio.ensure_future(self._keep_trying_out(hearing, telling))
            exits.push_async_callback(_cancelled, trials)
            ends: set[asyncio.Future[None]] = {tell, trials, hearing.ended, telling.ended}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()

    async def _try_out(self, hearing: Wire, telling: Wire) -> None:
        self._heard.clear()
        await self._notify(telling, [(self._one, TRIAL)])
        heard = asyncio.ensure_future(self._heard.wait())
        ends: set[asyncio.Future[Any]] = {heard, hearing.ended}
        await asyncio.wait(ends, timeout=TRIAL_TIME, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        if hearing.ended.done():
            hearing.ended.result()
        if not self._heard.is_set():
            raise _NothingHeard

    async def _keep_trying_out(self, hearing: Wire, telling: Wire) -> None:
        while True:
            await asyncio.sleep(TRIAL_INTERVAL)
            self._heard.clear()
            self._trial = True
            self._woken.set()
            try:
                async with asyncio.timeout(TRIAL_TIME):
                    await self._heard.wait()
            except TimeoutError:
                raise Unavailable("the connection to the database swallows what it is to bring") from None

    async def _tell(self, telling: Wire) -> None:
        assert self._end is not None
        while True:
            packets = self._end.take()
            told = [
                (self._all if to is None else f"{self._all}_{to}", b2a_base64(data, newline=False))
                for to, data in packets
            ]
            if self._trial:
                self._trial = False
                told.append((self._one, TRIAL))
            if told:
                await self._notify(telling, told)
            elif self._stopping:
                return
            else:
                await self._woken.wait()
            self._woken.clear()

    async def _notify(self, telling: Wire, told: list[tuple[str, bytes]]) -> None:
        channels = b",".join(channel.encode() for channel, _ in told)
        payloads = b",".join(b'"%b"' % payload for _, payload in told)
        await telling.execute(NOTIFY, [b"{%b}" % channels, b"{%b}" % payloads])

    def _notified(self, channel: str, payload: bytes) -> None:
        if payload == TRIAL:
            self._heard.set()
        elif self._end is not None:
            try:
                self._end.arrived(a2b_base64(payload), to_all=channel == self._all)
            except Exception:  # what one process says does not keep others from being heard
                logger.exception("a message of another server could not be read")


async def _cancelled(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
