"""Webhook calls that are to be made."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook call that is due, for the end of a run, or of a batch: the id of the other is None. `payload` is a
    JSON object that lacks only `webhook_sent_at`."""

    delivery_id: int
    attempt: int
    url: str
    run_id: str | None
    payload: bytes
    batch_id: str | None = None


class DeliveryStorage(Protocol):
    """Webhook calls that are to be made. They come into being with the end of a run, or of a batch, in the same
    transaction."""

    async def claim(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """Takes up to `limit` calls that are due, those due longest first; each is a new attempt. They are due again
        after `lease_seconds`, unless finished or postponed before, or at once when this server is found to have ended.
        Empty when nothing is due."""

    async def finish(self, delivery_id: int, attempt: int, *, delivered: bool) -> None:
        """The call is over: made, or given up. Nothing happens when a later attempt has been claimed."""

    async def postpone(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None:
        """The call is due again in `seconds`; `error` says why. Nothing happens when a later attempt has been
        claimed."""

    async def next_due(self) -> float | None:
        """Seconds until the next call is due, 0 when one is; None when there are none."""
