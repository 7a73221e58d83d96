"""The viewer process from the side of the API process: when it starts, when it is given up, when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from uuid_utils import uuid7

from runyard.generated.models import ThreadStateSearch, ThreadStateUpdate, ThreadSuperstep, ThreadSuperstepUpdate
from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import BadRequest, NotFound, Unavailable
from runyard.runtime.processes import viewer_process
from runyard.runtime.processes import viewers as viewers_module
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.viewers import Viewers
from runyard.runtime.scope import Scope
from runyard.runtime.storage.backends import make_storage
from runyard.runtime.storage.port.threads import NewThread

PROJECT = Path(__file__).parents[2] / "sample_projects" / "looked_at" / "langgraph.json"


@pytest.fixture(scope="module")
def spawner(tmp_path_factory: pytest.TempPathFactory) -> WorkerSpawner:
    folder = tmp_path_factory.mktemp("spawner")
    return WorkerSpawner(folder, InnerAddress(folder / "inner", b"secret"))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(project=load_project(PROJECT), data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    storage = make_storage(settings)
    storage.open(maintain=False)
    yield settings
    storage.close()


@pytest.fixture
async def viewers(settings: Settings, spawner: WorkerSpawner) -> AsyncIterator[Viewers]:
    viewers = Viewers(settings)
    viewers.start(spawner)
    yield viewers
    await viewers.stop()


async def make_thread(viewers: Viewers) -> str:
    """A thread with a state."""
    thread = NewThread(thread_id=str(uuid7()), metadata={"graph_id": "graph"})
    steps = [ThreadSuperstep(updates=[ThreadSuperstepUpdate(values={"text": "x"}, as_node="note")])]
    assert await viewers.ask("create_thread", Scope.everything(), thread, steps, "raise") == b"true"
    return thread.thread_id


async def values(viewers: Viewers, thread_id: str) -> Any:
    return orjson.loads(await viewers.ask("state", Scope.everything(), thread_id, ["graph"], None, False, None))[
        "values"
    ]


async def test_an_idle_process_ends_and_the_next_view_starts_another(
    viewers: Viewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert viewers.pid is None
    thread_id = await make_thread(viewers)
    first = viewers.pid
    assert first is not None
    assert await values(viewers, thread_id) == {"text": "x", "log": []}
    assert viewers.pid == first, "one is enough"

    monkeypatch.setattr(viewers_module, "IDLE_TIMEOUT", 0.01)
    await values(viewers, thread_id)
    monkeypatch.undo()
    async with asyncio.timeout(60):
        while viewers.pid is not None or psutil.pid_exists(first):  # noqa: ASYNC110 - a process can only be asked for
            await asyncio.sleep(0.02)

    assert await values(viewers, thread_id) == {"text": "x", "log": []}
    assert viewers.pid not in (None, first)


async def test_views_that_take_too_long_are_given_up_and_then_their_process(
    viewers: Viewers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    threads = [await make_thread(viewers) for _ in range(viewer_process.STUCK_VIEWS)]
    first = viewers.pid
    held: Any = ThreadStateUpdate(values={"log": [str(tmp_path / "never")]})
    with monkeypatch.context() as patch:
        patch.setattr(viewer_process, "VIEW_TIMEOUT", 0.2)
        for thread_id in threads:
            assert viewers.pid == first
            with pytest.raises(Unavailable, match="no answer after"):
                await viewers.ask("update", Scope.everything(), thread_id, ["graph"], held)
    assert await values(viewers, threads[0]) == {"text": "x", "log": []}
    assert viewers.pid != first


async def test_what_is_refused_is_refused_by_its_name(viewers: Viewers) -> None:
    thread = NewThread(thread_id=str(uuid7()), metadata={})
    with pytest.raises(BadRequest, match="has no assigned graph ID"):
        await viewers.ask("create_thread", Scope.everything(), thread, [], "raise")
    with pytest.raises(RuntimeError, match="its traceback is in the log"):
        await viewers.ask("no such view")


async def test_the_state_of_a_thread_that_was_deleted_meanwhile_is_not_found(viewers: Viewers) -> None:
    everything, thread_id = Scope.everything(), str(uuid7())
    with pytest.raises(NotFound):
        await viewers.ask("state", everything, thread_id, ["graph"], None, False, None)
    with pytest.raises(NotFound):
        await viewers.ask("history", everything, thread_id, ["graph"], ThreadStateSearch())


async def test_a_process_that_is_to_end_answers_what_it_was_asked_before(
    viewers: Viewers, settings: Settings, tmp_path: Path
) -> None:
    thread_id = await make_thread(viewers)
    first = viewers.pid
    gate = tmp_path / "gate"
    held: Any = ThreadStateUpdate(values={"log": [str(gate)]})
    under_way = asyncio.create_task(viewers.ask("update", Scope.everything(), thread_id, ["graph"], held))
    await asyncio.sleep(0)
    await viewers.reload(settings)
    assert await values(viewers, thread_id) == {"text": "x", "log": []}
    assert viewers.pid != first
    gate.touch()
    assert orjson.loads(await under_way)["checkpoint_id"]


async def test_nothing_is_answered_once_the_server_stops(viewers: Viewers) -> None:
    thread_id = await make_thread(viewers)
    await viewers.stop()
    assert viewers.pid is None
    with pytest.raises(Unavailable, match="stopping"):
        await values(viewers, thread_id)
