"""What a start would meet where everything is kept. Nothing is changed by looking."""

from __future__ import annotations

import os
from dataclasses import replace

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.services.findings import Diagnosis
from runyard.runtime.storage.backends import DATABASE, make_storage, place_of
from runyard.runtime.storage.port.storage import Storage

_OTHER = "choose another directory with --data or RUNYARD_DATA_DIR"


def look_at_storage(found: Diagnosis, settings: Settings) -> None:
    """Whether the data directory can be used, and the database that is in it or elsewhere."""
    if not _look_at_folder(found, settings):
        return
    if settings.database is None:
        _look_at_file(found, settings)
    else:
        _look_at_database(found, settings)
        if (file := settings.data_dir / DATABASE).exists():
            found.add("data", "note", f"{file} is not used, with a Postgres", "move it there with `runyard import`")


def look_at_index(found: Diagnosis, settings: Settings, error: str | None) -> None:
    """Whether items of the store can be found by what they mean. `error`: why its embeddings do not load."""
    index = settings.project.store_index
    assert index is not None
    if error is not None:
        found.add("store", "problem", f"its embeddings do not load: {error}")
        return
    try:
        able = make_storage(settings).capabilities
    except ConfigError as unable:
        found.add("store", "problem", f"whether items can be found by what they mean is not known: {unable.detail}")
        return
    if able.semantic_search and index.dims > able.most_dims:
        lacking = (
            f"store.index.dims is {index.dims}, and the database has room for {able.most_dims} numbers in a vector"
        )
        found.add("store", "problem", lacking, "name embeddings whose vectors are shorter, or remove store.index")
        return
    if able.semantic_search:
        found.add("store", "ok", f"{index.embed} loads; items are found by vectors of {index.dims} numbers")
        return
    remedy = "install sqlite-vec, or a Python whose sqlite3 can load extensions, or remove store.index"
    if settings.database is not None:
        remedy = "install pgvector on the server of the database, or remove store.index"
    lacking = "items cannot be found by what they mean: the database has no extension for that"
    found.add("store", "problem", lacking, remedy)


def _look_at_folder(found: Diagnosis, settings: Settings) -> bool:
    folder = settings.data_dir
    if not folder.is_dir():
        above = next(parent for parent in folder.absolute().parents if parent.exists())
        if folder.exists() or not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            found.add("data", "problem", f"{folder} cannot be made: {above} does not allow it", _OTHER)
            return settings.database is not None
        found.add("data", "ok", f"{folder} does not exist yet; the start makes it")
        return settings.database is not None
    if not os.access(folder, os.W_OK | os.X_OK):
        found.add("data", "problem", f"{folder} cannot be written to", f"change its permissions, or {_OTHER}")
        return settings.database is not None
    return True


def _look_at_file(found: Diagnosis, settings: Settings) -> None:
    folder, storage = settings.data_dir, make_storage(settings)
    if storage.served():
        found.add("data", "problem", f"{folder} is used by another Runyard server", f"stop that one, or {_OTHER}")
        return
    _look_at_schema(found, settings, storage, "data", str(folder))


def _look_at_database(found: Diagnosis, settings: Settings) -> None:
    try:
        storage, place = make_storage(settings), place_of(settings)
    except ConfigError as error:
        found.add("database", "unusable", error.detail)
        return
    _look_at_schema(found, settings, storage, "database", place)
    if settings.database_direct is not None:
        try:
            make_storage(replace(settings, database=settings.database_direct)).schema()
        except ConfigError as error:
            lacking = f"what servers tell each other is read once a second; RUNYARD_DATABASE_DIRECT: {error.detail}"
            found.add("database", "problem", lacking, "name the Postgres that is behind --database, or remove it")


def _look_at_schema(found: Diagnosis, settings: Settings, storage: Storage, check: str, place: str) -> None:
    other = _OTHER if settings.database is None else "name another database or --database-schema"
    try:
        state = storage.schema()
    except ConfigError as error:
        found.add(check, "problem", error.detail)
        return
    if state.encrypted and settings.project.encryption is None:
        found.add(check, "problem", f"{place} holds encrypted data", f"name the project's encryption, or {other}")
    elif state.refusal is not None:
        found.add(check, "problem", state.refusal, other)
    elif state.unknown:
        newer = f"its database is from a newer version ({', '.join(state.unknown)}), which lets this one use it"
        found.add(check, "note", newer)
    elif not state.extensible and state.missing:
        lacking = f"{place}: lacks {', '.join(state.missing)}, and this user may not create tables there"
        found.add(check, "problem", lacking, "run `runyard migrate` as a user who may")
    elif state.applied and state.missing:
        updated = (
            f"{place}: the start brings the database up to date ({', '.join(state.missing)}); there is no way back"
        )
        found.add(check, "note", updated, "back it up before")
    elif settings.database is None:
        found.add(check, "ok", f"{place} is writable, and nobody uses it")
    else:
        schema = "the start makes the tables" if state.missing else f"its schema is up to date ({state.applied[-1]})"
        found.add(check, "ok", f"{place} answers, version {state.server}; {schema}")
