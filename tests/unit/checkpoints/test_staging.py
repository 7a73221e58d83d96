"""Edits of states, on LangGraph itself."""

from __future__ import annotations

from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.staging import StagedCheckpoints
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .asking_graph import CONFIG, graph_that_asks, on_saver, settled, stored_checkpoints


async def test_an_edit_reads_its_own_writes_and_leaves_storage_alone(storage: SqliteStorage) -> None:
    graph = graph_that_asks()
    saving = on_saver(graph, RunSaver(storage.checkpoints))
    await saving.ainvoke({"log": ["in"]}, CONFIG)
    await settled(saving)
    before = await stored_checkpoints(storage)

    edits = StagedCheckpoints(storage.checkpoints)
    editing = on_saver(graph, RunSaver(edits))
    for number in range(3):
        await editing.aupdate_state(CONFIG, {"log": [f"edit {number}"], "count": number}, as_node="work")
    edited = await editing.aget_state(CONFIG)
    assert edited.values["log"][-3:] == ["edit 0", "edit 1", "edit 2"]
    assert edited.values["count"] == 2
    history = [item async for item in editing.aget_state_history(CONFIG, limit=4)]
    assert [item.values.get("count") for item in history] == [2, 1, 0, 1]
    assert await editing.aget_state(history[1].config) == history[1]
    assert await stored_checkpoints(storage) == before

    await storage.checkpoints.append(None, edits.rows)
    stored = await on_saver(graph, RunSaver(storage.checkpoints)).aget_state(CONFIG)
    assert (stored.values, stored.next, stored.config) == (edited.values, edited.next, edited.config)


async def test_a_subgraph_can_be_edited_by_its_namespace(storage: SqliteStorage) -> None:
    graph = graph_that_asks()
    saving = on_saver(graph, RunSaver(storage.checkpoints))
    await saving.ainvoke({"log": ["in"]}, CONFIG)
    await settled(saving)
    edits = StagedCheckpoints(storage.checkpoints)
    editing = on_saver(graph, RunSaver(edits))
    (task,) = (await editing.aget_state(CONFIG)).tasks
    assert isinstance(task.state, dict)
    await editing.aupdate_state(task.state, {"answer": "by hand"}, as_node="ask")
    inner = await editing.aget_state(task.state)
    assert (inner.values["answer"], inner.next) == ("by hand", ())
    assert "answer" not in (await editing.aget_state(CONFIG)).values
