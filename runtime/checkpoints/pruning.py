"""Which checkpoints a thread needs when its history is dropped."""

from collections.abc import Sequence

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint


def latest_checkpoints(saver: RunSaver, thread_id: str, namespaces: Sequence[str]) -> tuple[str, list[KeptCheckpoint]]:
    """The id of the latest checkpoint ("" if there is none), and all that must stay so that the thread continues as
    if nothing had happened: that one, those of subgraphs that are under way in it, and of subgraphs that remember."""
    latest = saver.get_tuple(_config(thread_id, ""))
    base = "" if latest is None else latest.checkpoint["id"]
    kept: list[KeptCheckpoint] = []
    for ns in namespaces:
        found = latest if ns == "" else saver.get_tuple(_config(thread_id, ns))
        # Without a task in its namespace a subgraph has one history for all its calls.
        if found is not None and (ns == "" or ":" not in ns or found.metadata.get("parents", {}).get("") == base):
            kept += [_kept(ns, checkpoint) for checkpoint in _with_ancestors(saver, found)]
    return base, kept


def _with_ancestors(saver: RunSaver, found: CheckpointTuple) -> list[CheckpointTuple]:
    """The checkpoint, and those before it that LangGraph puts the values of delta channels together from: back to
    the last that has each value as a whole."""
    chain = [found]
    missing = set(found.metadata.get("counters_since_delta_snapshot", {}))
    while missing and found.parent_config is not None:
        parent = saver.get_tuple(found.parent_config)
        if parent is None:
            break
        chain.append(found := parent)
        missing -= set(found.checkpoint["channel_values"])
    return chain


def _kept(ns: str, found: CheckpointTuple) -> KeptCheckpoint:
    checkpoint = found.checkpoint
    versions = {channel: str(version) for channel, version in checkpoint["channel_versions"].items()}
    return KeptCheckpoint(ns, checkpoint["id"], versions)


def _config(thread_id: str, ns: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns}}
