"""The latest checkpoint of a thread is the one that was made last, also where clocks disagree."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import id as ids
from langgraph.graph import START, StateGraph

from runyard.runtime.checkpoints.checkpoint_ids import LONGEST_STEP, stay_ahead_of
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.graphs.registry import Graph
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .asking_graph import CONFIG, State, on_saver, settled, work

HOUR = 3600.0
NOW = 1_800_000_000.0


class OtherMachines:
    """Each with a clock of its own, by which its ids are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, storage: SqliteStorage) -> None:
        self._patch = monkeypatch
        self._storage = storage

    def graph_at(self, seconds: float) -> Graph:
        """The graph in a new process whose clock says so many seconds more than it is."""
        self._patch.setattr(ids, "_last_v6_timestamp", None)
        self._patch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: int((NOW + seconds) * 1e9)))
        graph = StateGraph(State).add_node("work", work).add_edge(START, "work").compile()
        return on_saver(graph, RunSaver(self._storage.checkpoints))


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, storage: SqliteStorage) -> OtherMachines:
    monkeypatch.setattr("runyard.runtime.checkpoints.checkpoint_ids.time.time_ns", lambda: int(NOW * 1e9))
    return OtherMachines(monkeypatch, storage)


async def latest_count(graph: Graph) -> int:
    await settled(graph)
    count: int = (await graph.aget_state(CONFIG)).values["count"]
    return count


async def test_a_run_on_a_machine_whose_clock_is_behind_is_the_latest(machines: OtherMachines) -> None:
    await latest_of(machines.graph_at(0))
    assert await latest_of(machines.graph_at(-HOUR)) == 1


async def test_a_machine_whose_clock_is_ahead_does_not_keep_others_from_being_the_latest(
    machines: OtherMachines,
) -> None:
    await latest_of(machines.graph_at(HOUR))
    assert await latest_of(machines.graph_at(0)) == 1


async def test_a_run_from_an_earlier_checkpoint_is_the_latest(machines: OtherMachines) -> None:
    first = machines.graph_at(0)
    await latest_of(first)
    earlier = (await first.aget_state(CONFIG)).config
    await latest_of(machines.graph_at(HOUR))
    behind = machines.graph_at(-HOUR)
    await behind.aupdate_state(earlier, {"count": 77})
    assert await latest_count(behind) == 77


def test_a_nonsensical_id_leads_nobody_astray(machines: OtherMachines) -> None:
    machines.graph_at(LONGEST_STEP + HOUR)
    far = str(ids.uuid6())
    machines.graph_at(0)
    for given in (far, "none of ours", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"):
        stay_ahead_of(given)
    assert str(ids.uuid6()) < far


async def latest_of(graph: Graph) -> int:
    """Runs it, and says what its thread shows then."""
    config: RunnableConfig = CONFIG
    await graph.ainvoke({"log": []}, config)
    return await latest_count(graph)
