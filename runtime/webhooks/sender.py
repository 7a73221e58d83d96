"""Webhooks: the finished run, or batch, posted to the URL that its client named.

Which URLs are accepted is said in `runyard.runtime.webhooks.targets`. The deliveries are rows of the
storage, written in the transaction that ends the run or batch, so they survive restarts; `WebhookSender` works
them off in the API process. A receiver gets each webhook at least once: a crash between the answer of the
receiver and our note of it makes us send it again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.webhooks.client import NotSent, WebhookClient
from runyard.runtime.webhooks.host_queues import Hosts

if TYPE_CHECKING:
    from runyard.runtime.config.project import WebhookPolicy
    from runyard.runtime.storage.port.deliveries import Delivery, DeliveryStorage

logger = logging.getLogger(__name__)

_RETRIED = frozenset({408, 425, 429})
_LONGEST_PAUSE = 5.0  # the run of a worker that a killed server left behind wakes nobody
_SHORTEST_PAUSE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a delivery is tried, and the pauses between; by default 6 times in about 4 minutes.

    pause: seconds after the first try, doubled after each; longest: the most seconds between two tries;
    jitter: each pause is varied by up to this share.
    """

    attempts: int = 6
    pause: float = 8.0
    longest: float = 300.0
    jitter: float = 0.25

    def seconds(self, attempt: int, asked: float | None = None) -> float:
        """The pause after try number `attempt`; at least what the receiver `asked` for, within `longest`."""
        doubled = self.pause * 2.0 ** (attempt - 1) * random.uniform(1 - self.jitter, 1 + self.jitter)
        return min(self.longest, max(doubled, asked or 0.0))


DeliveryOutcome = Literal["delivered", "postponed", "given_up"]
"""What became of a try: it arrived, is to be made again, or was the last."""


class WebhookSender:
    """Sends what the storage holds, until stopped.

    concurrency, per_host: posts in flight at once, in all and to one host. window: deliveries claimed
    ahead, for lease_seconds. host_pause: seconds for which a host that did not answer is left alone at
    first; a delivery that is turned away for that has used up a try. count: is told of each try's outcome.
    """

    def __init__(
        self,
        storage: DeliveryStorage,
        policy: WebhookPolicy,
        *,
        retry: Retry | None = None,
        concurrency: int = 32,
        per_host: int = 8,
        window: int = 256,
        connect_timeout: float = 5.0,
        total_timeout: float = 10.0,
        lease_seconds: float = 120.0,
        host_pause: float = 5.0,
        count: Callable[[DeliveryOutcome], None] = lambda outcome: None,
        loops: Loops | None = None,
    ) -> None:
        self._count = count
        self._storage = storage
        self._policy = policy
        self._retry = retry or Retry()
        self._concurrency = concurrency
        self._window = window
        self._timeouts = (connect_timeout, total_timeout)
        self._lease = lease_seconds
        self._hosts = Hosts(per_host=per_host, clock=time.monotonic, pause=host_pause)
        self._more = False
        self._posts: set[asyncio.Task[None]] = set()
        self._stopped = True
        self._loop = BackgroundLoop("webhooks", self._claim, loops or Loops())
        self._client: WebhookClient | None = None

    def wake(self) -> None:
        """A run with a webhook has ended: look now. Call it in the sender's event loop."""
        self._loop.wake()

    async def start(self) -> None:
        """Begin with what is due, also from before a restart."""
        connect, total = self._timeouts
        self._client = WebhookClient(self._policy, connections=self._concurrency, connect=connect, total=total)
        self._stopped = False
        self._loop.start()

    async def stop(self, grace: float = 5.0) -> None:
        """Claim nothing more, give posts in flight `grace` seconds, hand back the rest."""
        if self._client is None:
            return
        self._stopped = True
        await self._loop.stop()
        for delivery in self._hosts.drain():
            await self._postpone(delivery, 0.0, "the server stopped")
        if self._posts:
            _, late = await asyncio.wait(self._posts, timeout=grace)
            for post in late:
                post.cancel()
            if late:
                await asyncio.wait(late)
        await self._client.close()

    async def _claim(self) -> float:
        """Claim what is due, begin what may begin; returns the seconds after which to look again."""
        room = self._window - self._hosts.held
        if room <= 0:
            return _LONGEST_PAUSE  # a delivery that ends wakes us
        until = time.monotonic() + self._lease - 2 * self._timeouts[1]
        claimed = await self._storage.claim(room, self._lease)
        for delivery in claimed:
            self._hosts.add(delivery, until=until)
        self._more = len(claimed) == room
        self._begin()
        await self._turn_away()
        if self._more:
            return 0.0 if self._has_room() else _LONGEST_PAUSE
        due = await self._storage.next_due()
        return _LONGEST_PAUSE if due is None else min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, due))

    def _has_room(self) -> bool:
        return self._hosts.held <= self._window * 3 // 4

    def _begin(self) -> None:
        while len(self._posts) < self._concurrency and (delivery := self._hosts.begin()):
            post = asyncio.create_task(self._post(delivery), name=f"webhook of {_whose(delivery)}")
            self._posts.add(post)
            post.add_done_callback(self._ended)

    def _ended(self, post: asyncio.Task[None]) -> None:
        self._posts.discard(post)
        if not post.cancelled() and (error := post.exception()):
            logger.error("webhooks: %s failed", post.get_name(), exc_info=error)
        if self._stopped:
            return
        self._begin()
        if self._more and self._has_room():
            self._loop.wake()

    async def _post(self, delivery: Delivery) -> None:
        assert self._client is not None
        host_down = False
        try:
            if delivery.attempt > self._retry.attempts:  # each of them ended without a note: with the process
                await self._failed(delivery, "no try was ever completed", final=True)
                return
            try:
                answer = await self._client.post(delivery.url, _body(delivery))
            except NotSent as error:
                host_down = error.host_down
                await self._failed(delivery, str(error), final=error.final)
                return
            if 200 <= answer.status < 300:
                await self._storage.finish(delivery.delivery_id, delivery.attempt, delivered=True)
                self._count("delivered")
            else:
                final = answer.status < 500 and answer.status not in _RETRIED
                reason = f"the receiver answered {answer.status}"
                await self._failed(delivery, reason, final=final, asked=answer.retry_after)
        except asyncio.CancelledError:
            await self._postpone(delivery, 0.0, "the server stopped")
            raise
        finally:
            self._hosts.end(delivery, host_down=host_down)
            if host_down:
                await self._turn_away()

    async def _turn_away(self) -> None:
        for delivery, seconds in self._hosts.turn_away():
            later = seconds * random.uniform(1.0, 1.5)  # than the host's trial, and not all at once
            await self._failed(delivery, "its host did not answer others", asked=later)

    async def _failed(
        self, delivery: Delivery, reason: str, *, final: bool = False, asked: float | None = None
    ) -> None:
        if not final and delivery.attempt < self._retry.attempts:
            await self._postpone(delivery, self._retry.seconds(delivery.attempt, asked), reason)
            return
        logger.warning(
            "webhook of %s given up at try %d: %s",
            _whose(delivery),
            delivery.attempt,
            reason,
            extra={"batch_id": delivery.batch_id} if delivery.run_id is None else {"run_id": delivery.run_id},
        )
        await self._storage.finish(delivery.delivery_id, delivery.attempt, delivered=False)
        self._count("given_up")

    async def _postpone(self, delivery: Delivery, seconds: float, reason: str) -> None:
        await self._storage.postpone(delivery.delivery_id, delivery.attempt, seconds=seconds, error=reason)
        self._count("postponed")
        self._loop.wake()  # the pause of the loop was computed without this date


def _whose(delivery: Delivery) -> str:
    return f"batch {delivery.batch_id}" if delivery.run_id is None else f"run {delivery.run_id}"


def _body(delivery: Delivery) -> bytes:
    sent_at = datetime.now(UTC).isoformat(timespec="microseconds")
    return b'%b,"webhook_sent_at":"%b"}' % (delivery.payload[:-1], sent_at.encode())
