"""The `store` of langgraph.json: how long items live, and what finds them by what they mean."""

from __future__ import annotations

import logging
from typing import Any, Final

from runyard.runtime.config.project import StoreTtl
from runyard.runtime.config.reading import positive, section, switch

logger = logging.getLogger(__name__)

MOST_MINUTES: Final = 100 * 366 * 24 * 60
"""The longest lifetime of an item, which dates can hold."""
_IGNORED: Final = {"index": "items are not found by what they mean yet"}


def read_store_ttl(file: str, raw: dict[str, Any]) -> StoreTtl:
    """`store.ttl`. Raises `ConfigError`; other keys of `store` are named in a warning."""
    store = section(f"{file}: ", raw, "store")
    for key in store.keys() - {"ttl"}:
        if store[key] is not None:
            logger.warning("%s: store.%s is ignored: %s", file, key, _IGNORED.get(key, "the key is not known"))
    place = f"{file}: store.ttl"
    options: dict[str, Any] = {}
    for key, value in section(f"{file}: store.", store, "ttl").items():
        at = f"{place}.{key}"
        match key:
            case "refresh_on_read":
                options["refresh_on_read"] = True if value is None else switch(at, value)
            case "default_ttl" if value is not None:
                options["minutes"] = positive(at, value, most=MOST_MINUTES)
            case "sweep_interval_minutes" if value is not None:
                options["sweep_seconds"] = 60 * positive(at, value, most=MOST_MINUTES)
            case "omit_expired":
                switch(at, value)  # items whose time is over are never shown
            case "default_ttl" | "sweep_interval_minutes":
                pass  # null is as good as absent
            case _:
                logger.warning("%s is ignored: the key is not known", at)
    return StoreTtl(**options)
