"""Everything is moved from where no server is at work, to where none is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.services import importing
from runyard.runtime.services.importing import Imported, import_all
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .moving import Interrupted, back, ending_after, into_postgres, make_directory, silent
from .postgres_server import address


async def test_nobody_serves_from_what_is_not_complete(tmp_path: Path, schema: str, postgres: PostgresStorage) -> None:
    await make_directory(tmp_path / "before")
    with pytest.raises(Interrupted):
        await into_postgres(tmp_path / "before", schema, ending_after(8))
    with pytest.raises(ConfigError, match=r"import into it was begun.*--restart"):
        postgres.open(maintain=False, encrypted=True)
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False, encrypted=True)
    with pytest.raises(Interrupted):
        await back(schema, tmp_path / "after", ending_after(8))
    assert not (tmp_path / "after").exists()


async def test_what_a_server_uses_is_refused_at_either_end(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    served = SqliteStorage(tmp_path / "before" / "runyard.db")
    served.open(maintain=True)
    with pytest.raises(ConfigError, match="another Runyard server is using"):
        await into_postgres(tmp_path / "before", schema)
    served.close()
    postgres.open(maintain=False)
    await asyncio.to_thread(postgres.workers.register, "alive")
    with pytest.raises(ConfigError, match="servers use it"):
        await into_postgres(tmp_path / "before", schema)
    with pytest.raises(ConfigError, match="servers use it"):
        await back(schema, tmp_path / "after")


async def test_no_server_begins_with_the_source_meanwhile(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")

    def look(table: str, done: int, total: int) -> None:
        with pytest.raises(ConfigError, match="another Runyard server"):
            SqliteStorage(tmp_path / "before" / "runyard.db").open(maintain=True)
        raise Interrupted

    with pytest.raises(Interrupted):
        await into_postgres(tmp_path / "before", schema, look)


async def test_no_server_begins_with_a_postgres_that_is_moved_elsewhere(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    await make_directory(tmp_path / "before")
    refused = []

    def look(table: str, done: int, total: int) -> None:
        with pytest.raises(ConfigError, match=r"import.* moves what is there"):
            postgres.open(maintain=True, encrypted=True)
        refused.append(table)

    await into_postgres(tmp_path / "before", schema)
    await back(schema, tmp_path / "after", look)
    assert refused
    postgres.open(maintain=True, encrypted=True)


async def test_a_server_is_seen_from_its_first_moment(tmp_path: Path, schema: str, postgres: PostgresStorage) -> None:
    await make_directory(tmp_path / "before")
    postgres.open(maintain=True)
    with pytest.raises(ConfigError, match="servers use it"):
        await into_postgres(tmp_path / "before", schema)
    with pytest.raises(ConfigError, match="servers use it"):
        await back(schema, tmp_path / "after")
    postgres.close()
    await into_postgres(tmp_path / "before", schema)


async def test_two_imports_into_one_target_are_one_too_many(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    await make_directory(tmp_path / "other")

    def second(move: Callable[[], Imported]) -> importing.Progress:
        def progress(table: str, done: int, total: int) -> None:
            if table == "runs":
                with pytest.raises(ConfigError, match=r"another import .*into it is under way"):
                    move()

        return progress

    def there() -> Imported:
        return import_all(str(tmp_path / "other"), address(), schema=schema, progress=silent)

    def here() -> Imported:
        return import_all(address(), str(tmp_path / "after"), schema=schema, progress=silent)

    await into_postgres(tmp_path / "before", schema, second(there))
    await back(schema, tmp_path / "after", second(here))
