"""Bringing a database up to date without serving."""

from __future__ import annotations

from dataclasses import dataclass

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.backends import make_storage, place_of


@dataclass(frozen=True, slots=True)
class Migrated:
    """place: the database, for people. applied: the names of the migrations that it has got, or would get. version: the
    latest that it has then, also of those that only a newer Runyard knows; None: it has none."""

    place: str
    applied: list[str]
    version: str | None


async def look(settings: Settings) -> Migrated:
    """What `migrate` would do; changes nothing. Raises ConfigError for a database that this version cannot use."""
    storage = make_storage(settings)
    await storage.reach()
    state = storage.schema()
    if state.refusal is not None:
        raise ConfigError(f"{place_of(settings)}: {state.refusal}")
    return Migrated(place_of(settings), state.missing, max([*state.applied, *state.unknown], default=None))


async def migrate(settings: Settings) -> Migrated:
    """Applies what the database lacks, and prepares one that servers share for the project's `store.index`. Processes
    that do it at once wait for each other. Raises ConfigError as `look` does, and when a server uses a data
    directory."""
    before, storage = await look(settings), make_storage(settings)
    index = settings.project.store_index
    prepares = index is not None and storage.capabilities.several_servers
    if not before.applied and not prepares:
        return before
    storage.open(maintain=True, encrypted=settings.project.encryption is not None)
    try:
        if index is not None and prepares:
            await storage.store.ready(dims=index.dims)
    finally:
        storage.close()
    state = storage.schema()
    return Migrated(before.place, before.applied, max([*state.applied, *state.unknown], default=None))
