"""Senders at work, quick to give up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.webhooks.sender import Retry, WebhookSender

from .memory_deliveries import MemoryDeliveries

LOCAL = WebhookPolicy(require_https=False, disable_loopback=False)
QUICK = Retry(attempts=3, pause=0.01)


@asynccontextmanager
async def sending(
    storage: MemoryDeliveries, policy: WebhookPolicy = LOCAL, **options: Any
) -> AsyncIterator[WebhookSender]:
    """A sender at work; `options` as of WebhookSender."""
    sender = WebhookSender(storage, policy, **{"retry": QUICK, "connect_timeout": 5.0, **options})
    await sender.start()
    try:
        yield sender
    finally:
        await sender.stop(grace=1.0)
