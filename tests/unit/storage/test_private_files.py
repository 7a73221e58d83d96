"""Who may read what lies in a data directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.storage.backends import make_storage


@pytest.fixture(autouse=True, params=[0o000, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    project = Project(path=tmp_path / "langgraph.json", directory=tmp_path, import_paths=(), graphs={})
    return Settings(project=project, data_dir=tmp_path / "data")


async def use(settings: Settings) -> None:
    """What a server and its workers do with the directory."""
    storage = make_storage(settings)
    storage.open(maintain=True)
    storage.workers.register("worker")
    await storage.workers.heartbeat("worker", [])
    assert (settings.data_dir / "runyard.db-wal").exists()
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in settings.data_dir.rglob("*")}
    storage.close()
    storage.workers.unregister("worker")
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_everything_is_for_the_servers_user_only(settings: Settings) -> None:
    await use(settings)
    assert mode(settings.data_dir) == 0o700


async def test_what_an_earlier_version_left_is_tightened(settings: Settings) -> None:
    await use(settings)
    settings.data_dir.chmod(0o755)
    for path in settings.data_dir.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (settings.data_dir / "store.db").touch(0o644)
    await use(settings)
    assert mode(settings.data_dir) == 0o700
    assert mode(settings.data_dir / "store.db") == 0o600


async def test_a_directory_with_other_things_keeps_its_permissions(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o755)
    other = settings.data_dir / "report.html"
    other.touch()
    other.chmod(0o644)
    storage = make_storage(settings)
    storage.open(maintain=True)
    storage.close()
    assert (mode(settings.data_dir), mode(other)) == (0o755, 0o644)
    assert mode(settings.data_dir / "runyard.db") == 0o600
    assert "not the server's alone" in caplog.text


async def test_a_link_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir()
    (tmp_path / "elsewhere").touch()
    (tmp_path / "elsewhere").chmod(0o644)
    (settings.data_dir / "store.db").symlink_to(tmp_path / "elsewhere")
    storage = make_storage(settings)
    storage.open(maintain=True)
    storage.close()
    assert mode(tmp_path / "elsewhere") == 0o644
