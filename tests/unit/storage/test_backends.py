"""Which backend the settings choose."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage import backends
from runyard.runtime.storage.backends import make_storage, modules_of, place_of
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

PROJECT = Path(__file__).parents[2] / "sample_projects" / "looked_at" / "langgraph.json"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(project=load_project(PROJECT), data_dir=tmp_path)


def on_postgres(settings: Settings) -> Settings:
    return replace(settings, database="postgresql://me:hidden@somewhere/agents")


def test_a_file_or_what_the_database_names(settings: Settings) -> None:
    assert isinstance(make_storage(settings), SqliteStorage)
    assert place_of(settings) == str(settings.data_dir)
    storage = make_storage(on_postgres(settings))
    assert isinstance(storage, PostgresStorage)
    storage.close()
    assert place_of(on_postgres(settings)) == "Postgres at somewhere, database agents"


def test_a_client_that_is_not_installed_is_named_with_the_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'runyard\[postgres\]'.*--database sqlite") as error:
        make_storage(on_postgres(settings))
    assert "hidden" not in error.value.detail
    make_storage(settings)


def test_what_is_imported_beforehand_for_a_backend_is_there(settings: Settings) -> None:
    assert not modules_of(settings)
    for name in modules_of(on_postgres(settings)):
        importlib.import_module(name)
