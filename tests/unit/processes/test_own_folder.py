"""Where servers keep the sockets and the temporary files of their processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.processes.own_folder import OwnFolder

PROJECT = Path(__file__).parents[2] / "sample_projects" / "looked_at" / "langgraph.json"
TAKE = """
import os, sys
from pathlib import Path
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.own_folder import OwnFolder
folder = OwnFolder(Settings(project=load_project(Path(sys.argv[1])), data_dir=Path(sys.argv[2]), database="x"))
folder.take(())
folder.note_worker("noted")
(folder.path / "tmp" / "worker-1").mkdir(parents=True)
(folder.path / "tmp" / "server").mkdir()
print(folder.path)
os._exit(0)
"""


def folder(data_dir: Path, database: str | None = "postgresql://host/name") -> OwnFolder:
    return OwnFolder(Settings(project=load_project(PROJECT), data_dir=data_dir, database=database))


def test_servers_that_share_a_database_share_a_data_directory(tmp_path: Path) -> None:
    one, other = folder(tmp_path), folder(tmp_path)
    one.take(())
    other.take(())
    assert one.path != other.path
    assert one.path.is_dir()
    assert other.path.is_dir()
    one.leave()
    assert not one.path.exists()
    assert other.path.is_dir()
    other.leave()


def test_the_only_server_of_a_data_directory_has_it_to_itself(tmp_path: Path) -> None:
    own = folder(tmp_path, database=None)
    own.take(())
    own.leave()
    assert own.path == tmp_path.resolve()
    assert own.path.is_dir()


def test_what_a_killed_server_left_is_removed_once_its_workers_have_ended(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", TAKE, PROJECT, tmp_path], check=True, capture_output=True, text=True, timeout=240
    )
    left = Path(said.stdout.strip())
    own = folder(tmp_path)
    own.take({"worker-1"})
    assert (left / "tmp" / "worker-1").is_dir()
    assert not (left / "tmp" / "server").exists()
    own.leave()
    own = folder(tmp_path)
    own.take(())
    assert not left.exists()
    own.leave()


def test_workers_that_have_ended_with_a_killed_server_are_known_to_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", TAKE, PROJECT, tmp_path], check=True, capture_output=True, timeout=240)
    own = folder(tmp_path)
    own.take({"noted", "worker-1"})
    assert own.ended == {"noted"}
    own.leave()


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="--data"):
        folder(tmp_path / "data").take(())
