"""What a run needed goes with it: nothing waits for the garbage collector, whose work would be a large part of a short
run's."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.bus.messages import Ended, Wake
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.scope import Scope
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .one_worker import Heard, new_run, working

RUNS = 20


@pytest.fixture
def _collected_by_hand() -> Iterator[None]:
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


async def run_all(storage: SqliteStorage, heard: Heard, graph_id: str, given: dict[str, Any], resumable: bool) -> None:
    runs = [replace(new_run(graph_id, **given), resumable=resumable) for _ in range(RUNS)]
    await storage.runs.insert(Scope.everything(), runs)
    heard.tell(Wake())
    for _ in runs:
        assert (await heard.next(Ended)).status == "success"


@pytest.mark.usefixtures("_collected_by_hand")
@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize(
    ("graph_id", "given"),
    [
        ("chain", {}),
        ("chain", {"durability": "sync"}),
        ("echo", {"input": {"messages": ["a b"]}, "stream_mode": ["messages", "values", "custom"]}),
        ("echo", {"input": {"messages": ["a b"]}, "protocol": True}),
    ],
    ids=["values", "sync", "messages", "protocol"],
)
async def test_a_run_leaves_no_cycles(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, graph_id: str, given: dict[str, Any], resumable: bool
) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        await run_all(storage, heard, graph_id, given, resumable)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        await run_all(storage, heard, graph_id, given, resumable)
        gc.collect()
        gc.set_debug(0)
    left = Counter(type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith("runyard."))
    assert {name: number for name, number in left.items() if number > RUNS / 2} == {}
