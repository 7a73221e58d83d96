"""Everything is moved from SQLite into Postgres and back: as a whole, once, and as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.services import importing
from runyard.runtime.services.importing import Imported
from runyard.runtime.storage.moved_tables import MOVED

from .moving import Interrupted, back, change, contents, ending_after, into_postgres, make_directory, select


async def test_what_is_moved_there_and_back_is_what_it_was(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    before = contents(tmp_path / "before")
    assert [table for table, rows in before.items() if not rows] == []
    await into_postgres(tmp_path / "before", schema)
    assert contents(tmp_path / "before") == before
    await back(schema, tmp_path / "after")
    assert contents(tmp_path / "after") == before


async def test_rows_and_bytes_are_counted_at_both_ends(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    imported = await into_postgres(tmp_path / "before", schema)
    assert {each.table for each in imported.tables} == set(MOVED)
    for each in imported.tables:
        assert each.source == each.target
        assert each.source.rows > 0
    found = {each.table: each.target for each in imported.tables}
    assert found["runs"].rows == len(contents(tmp_path / "before")["runs"])
    assert found["checkpoints"].bytes > 0


async def test_an_import_that_is_ended_anywhere_goes_on_and_doubles_nothing(
    tmp_path: Path, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_directory(tmp_path / "before")
    before = contents(tmp_path / "before")
    monkeypatch.setattr(importing, "PAGE_ROWS", 2)
    ended = 0

    async def insist(move: Callable[[importing.Progress], Awaitable[Imported]]) -> None:
        nonlocal ended
        pages = len(MOVED)  # the tables that are there already are told first
        while True:
            with contextlib.suppress(Interrupted):
                await move(ending_after(pages))
                return
            ended += 1
            pages += 2

    await insist(lambda progress: into_postgres(tmp_path / "before", schema, progress))
    await insist(lambda progress: back(schema, tmp_path / "after", progress))
    assert ended > 5
    assert contents(tmp_path / "after") == before


async def test_another_source_does_not_go_on_with_what_was_begun(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    with pytest.raises(Interrupted):
        await into_postgres(tmp_path / "before", schema, ending_after(8))
    change(tmp_path / "before", "update threads set updated_at = updated_at + 1")
    with pytest.raises(ConfigError, match=r"changed since.*--restart"):
        await into_postgres(tmp_path / "before", schema)
    await into_postgres(tmp_path / "before", schema, restart=True)
    await back(schema, tmp_path / "after")
    assert contents(tmp_path / "after") == contents(tmp_path / "before")


async def test_a_target_that_holds_anything_else_is_refused(tmp_path: Path, schema: str) -> None:
    await make_directory(tmp_path / "before")
    await into_postgres(tmp_path / "before", schema)
    for restart in (False, True):
        with pytest.raises(ConfigError, match="finished already"):
            await into_postgres(tmp_path / "before", schema, restart=restart)
    select(schema, "delete from imports returning 1")
    for restart in (False, True):
        with pytest.raises(ConfigError, match="something already"):
            await into_postgres(tmp_path / "before", schema, restart=restart)
    with pytest.raises(ConfigError, match="something already"):
        await back(schema, tmp_path / "before")


async def test_an_earlier_version_is_to_be_migrated_first(tmp_path: Path, schema: str) -> None:
    folder = tmp_path / "before"
    await make_directory(folder)
    change(folder, "delete from _sqlite_migrations where name = '0025_encryption'")
    with pytest.raises(ConfigError, match="runyard migrate"):
        await into_postgres(folder, schema)
    with pytest.raises(ConfigError, match="no database of Runyard's"):
        await into_postgres(tmp_path / "nothing", schema)
    with pytest.raises(ConfigError, match="nothing of Runyard's"):
        await back(f"{schema}_none", tmp_path / "after")
