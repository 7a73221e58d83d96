"""How a checkpoint is addressed: as a config of LangGraph, and as the interface shows it."""

from typing import Literal

from langchain_core.runnables import RunnableConfig

from runyard.generated.mappings import CheckpointConfig

_Key = Literal["checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map"]
# Of the config of a checkpoint, what addresses it; the rest is LangGraph's own.
_ADDRESS: tuple[_Key, ...] = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")


def checkpoint_config(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    """The config that addresses a checkpoint."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}


def checkpoint_address(config: RunnableConfig | None) -> CheckpointConfig | None:
    """Of a config, what says which checkpoint it is; None for None."""
    if config is None:
        return None
    configurable = config["configurable"]
    address: CheckpointConfig = {}
    for key in _ADDRESS:
        if key in configurable:
            address[key] = configurable[key]
    return address
