"""Webhook calls, whose targets and payloads storage has made of what is encrypted."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any, Final

import orjson

from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.queue import ERROR, VALUES
from runyard.runtime.storage.encrypted.runs import BATCH_METADATA, METADATA, REASON, WEBHOOK, open_kwargs
from runyard.runtime.storage.port.deliveries import Delivery, DeliveryStorage

logger = logging.getLogger(__name__)

PAUSE: Final = 30.0
"""Seconds until a call is tried again that cannot be decrypted; as many more after each try, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE: Final = 3600.0


class EncryptedDeliveries:
    """See `DeliveryStorage`."""

    def __init__(self, inner: DeliveryStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.finish = inner.finish
        self.next_due = inner.next_due
        self.postpone = inner.postpone

    async def claim(self, limit: int, lease_seconds: float) -> list[Delivery]:
        """One that cannot be decrypted is due again later: it holds up none of the others."""
        claimed = await self._inner.claim(limit, lease_seconds)
        found = await self._codec.run(each(self._opened, claimed)) if claimed else []
        readable: list[Delivery] = []
        for delivery, opened in zip(claimed, found, strict=True):
            if isinstance(opened, Delivery):
                readable.append(opened)
                continue
            logger.error("the webhook of run or batch %s waits: %s", delivery.run_id or delivery.batch_id, opened)
            pause = min(LONGEST_PAUSE, PAUSE * delivery.attempt)
            await self._inner.postpone(delivery.delivery_id, delivery.attempt, seconds=pause, error=str(opened))
        return readable

    async def _opened(self, delivery: Delivery) -> Delivery | EncryptionFailed:
        try:
            url = await self._codec.seal.open_text(WEBHOOK, delivery.url)
            assert url is not None
            payload = orjson.dumps(await self._open_payload(orjson.loads(delivery.payload), delivery.run_id))
            return replace(delivery, url=url, payload=payload)
        except EncryptionFailed as error:
            return error

    async def _open_payload(self, payload: dict[str, Any], run_id: str | None) -> dict[str, Any]:
        seal = self._codec.seal
        if run_id is None:
            return {
                **payload,
                "metadata": await seal.open_fields(BATCH_METADATA, payload["metadata"]),
                "webhook": await seal.open_text(WEBHOOK, payload["webhook"]),
            }
        metadata = await seal.open_fields(METADATA, payload["metadata"])
        kwargs = await open_kwargs(self._codec, payload["kwargs"], run_id)
        attempt = payload["kwargs"]["config"]["metadata"].get("run_attempt")
        shown = metadata if attempt is None else {**metadata, "run_attempt": attempt}
        opened = {
            **payload,
            "metadata": metadata,
            "kwargs": {**kwargs, "config": {**kwargs["config"], "metadata": shown}},
            "values": await seal.open_value(VALUES, payload["values"]),
            "cancel_reason": await seal.open_text(REASON, payload["cancel_reason"]),
        }
        if "error" in payload:
            opened["error"] = await seal.open_value(ERROR, payload["error"])
        return opened
