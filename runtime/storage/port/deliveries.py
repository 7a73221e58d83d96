"""Webhook calls that are to be made."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook call that is due. `payload` is a JSON object that lacks only `webhook_sent_at`."""

    delivery_id: int
    attempt: int
    url: str
    run_id: str
    payload: bytes


class DeliveryStorage(Protocol):
    async def claim_deliveries(self, limit: int, lease_seconds: float) -> list[Delivery]: ...

    async def finish_delivery(self, delivery_id: int, attempt: int, *, delivered: bool) -> None: ...

    async def postpone_delivery(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None: ...

    async def next_delivery_due(self) -> float | None: ...
