"""Which events are asked for, and the names of subscriptions, which say it."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from runyard.runtime.services.thread_events import EventFilter


def event_filter(params: Mapping[str, Any]) -> EventFilter:
    """What a request asks for that fits ProtocolEventStreamRequest."""
    namespaces = params.get("namespaces")
    return EventFilter(
        channels=frozenset(params["channels"]),
        namespaces=tuple(map(tuple, namespaces)) if namespaces else None,
        depth=params.get("depth"),
        since=int(params.get("since") or 0),
    )


def new_subscription_id(params: Mapping[str, Any]) -> str:
    """A name for a subscription, from which `asked_by` knows what it asks for, on whatever connection or server."""
    asked = {name: params[name] for name in ("channels", "namespaces", "depth") if params.get(name) is not None}
    return f"{secrets.token_hex(8)}.{base64.urlsafe_b64encode(orjson.dumps(asked)).rstrip(b'=').decode()}"


def asked_by(subscription_id: str) -> Any:
    """What a subscription with that name asked for, which is to be held against ProtocolEventStreamRequest: clients can
    make names up. None for what is no name."""
    encoded = subscription_id.partition(".")[2]
    try:
        return orjson.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError):
        return None
