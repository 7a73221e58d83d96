"""The `store` of langgraph.json: how long items live, and what finds them by what they mean."""

from __future__ import annotations

from typing import Any, Final

from runyard.runtime.config.project import StoreIndex, StoreTtl
from runyard.runtime.config.reading import positive, section, strings, switch, whole_number
from runyard.runtime.errors import ConfigError

MOST_MINUTES: Final = 100 * 366 * 24 * 60
"""The longest lifetime of an item, which dates can hold."""
MOST_DIMS: Final = 65_536
MOST_FIELDS: Final = 100


def read_store_ttl(file: str, raw: dict[str, Any]) -> StoreTtl:
    """`store.ttl`. Raises `ConfigError`."""
    store = section(f"{file}: ", raw, "store")
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
            case _:
                pass  # null is as good as absent
    return StoreTtl(**options)


def read_store_index(file: str, raw: dict[str, Any]) -> StoreIndex | None:
    """`store.index`; None when there is none. Raises `ConfigError`."""
    place = f"{file}: store.index"
    index = section(f"{file}: store.", section(f"{file}: ", raw, "store"), "index")
    if not index:
        return None
    embed = index.get("embed")
    target, _, name = embed.partition(":") if isinstance(embed, str) else ("", "", "")
    if not isinstance(embed, str) or not target or not name:
        raise ConfigError(f'{place}.embed must be "./file.py:name", "package.module:name" or "provider:model"')
    dims = whole_number(f"{place}.dims", index.get("dims"), least=1, most=MOST_DIMS)
    fields = strings(f"{place}.fields", index.get("fields")) or ("$",)
    if len(fields) > MOST_FIELDS or not all(fields):
        raise ConfigError(f"{place}.fields must be at most {MOST_FIELDS} paths, none of them empty")
    return StoreIndex(embed=embed, dims=dims, fields=fields)
