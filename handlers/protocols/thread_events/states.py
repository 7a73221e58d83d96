"""The commands that look: at values, histories, and how far a run is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from runyard.generated.mappings import CheckpointConfig
from runyard.generated.models import Run, ThreadStateField, ThreadStateSearch
from runyard.handlers.contract.bodies import in_pool_if_large
from runyard.handlers.protocols.thread_events.messages import CommandError
from runyard.handlers.protocols.thread_events.services import ProtocolServices
from runyard.runtime.config.ids import usual_id
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.thread_events import EventFilter

DEFAULT_CHECKPOINTS: Final = 10

_LIFECYCLE: Final = EventFilter(channels=frozenset(("lifecycle",)))
_STATUSES: Final = {
    "pending": "started",
    "running": "running",
    "success": "completed",
    "error": "failed",
    "timeout": "failed",
    "interrupted": "interrupted",
}
_OF_CHECKPOINT: Final[list[ThreadStateField]] = ["created_at", "metadata", "checkpoint_id"]


class StateCommands:
    """Carries out `state.get`, `state.listCheckpoints` and `agent.getTree`. All raise CommandError and RunyardError."""

    def __init__(self, services: ProtocolServices) -> None:
        self._threads = services.threads
        self._states = services.states
        self._runs = services.runs
        self._events = services.events

    async def get(self, scope: Scope, thread_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the thread, or of a subgraph that is under way."""
        checkpoint = _place(params)
        keys = params.get("keys")
        values = ["values"] if keys is None else [f"values.{key}" for key in keys]
        raw = await self._states.state(scope, thread_id, checkpoint, select=[*values, "checkpoint", "created_at"])
        state = await in_pool_if_large(orjson.loads, raw)
        if checkpoint is not None and state["created_at"] is None:
            raise _no_namespace(params)
        result = {"values": state.get("values", {})}
        address = state["checkpoint"] or {}
        if name := address.get("checkpoint_id"):
            result["checkpoint"] = {"id": name, "ns": address.get("checkpoint_ns") or ""}
        return result

    async def list_checkpoints(self, scope: Scope, thread_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A part of the history of the thread, or of a subgraph that is under way, newest first."""
        checkpoint = _place(params)
        before = params.get("before")
        search = ThreadStateSearch(
            limit=int(params.get("limit", DEFAULT_CHECKPOINTS)),
            before=None if before is None else {"checkpoint_id": usual_id(before) or before},
            checkpoint=checkpoint,
            select=_OF_CHECKPOINT,
        )
        raw = await self._states.history(scope, thread_id, search)
        states = await in_pool_if_large(orjson.loads, raw)
        if checkpoint is not None and not states and before is None:
            raise _no_namespace(params)
        return {"checkpoints": [_summary(state) for state in states]}

    async def tree(self, scope: Scope, thread_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The graph of a run with its subgraphs; of the run that is under way, or whose question the thread waits at,
        when none is named."""
        latest = await self._runs.list(scope, thread_id, limit=1, offset=0, status=None)
        run = await self._run(scope, thread_id, params.get("run_id"), latest[0] if latest else None)
        is_latest = bool(latest) and run.run_id == latest[0].run_id
        waits = is_latest and (await self._threads.get(scope, thread_id)).status == "interrupted"
        root: dict[str, Any] = {
            "namespace": [],
            "status": "interrupted" if waits else _STATUSES[run.status],
            "graph_name": str(run.kwargs["config"]["configurable"].get("graph_id", "")),
        }
        _hang(root, await self._subgraphs(scope, thread_id, run.run_id))
        return {"tree": root}

    async def statuses(self, scope: Scope, thread_id: str, run_id: str) -> list[dict[str, Any]]:
        """How far the graph of a run and its subgraphs are. Raises as `tree` does."""
        tree = (await self.tree(scope, thread_id, {"run_id": run_id}))["tree"]
        found, left = [], [tree]
        while left:
            node = left.pop(0)
            found.append({"namespace": node["namespace"], "status": node["status"]})
            left += node.get("children", ())
        return found

    async def _run(self, scope: Scope, thread_id: str, named: str | None, latest: Run | None) -> Run:
        if named is not None:
            try:
                return await self._runs.get(scope, thread_id, usual_id(named) or named)
            except NotFound:
                raise CommandError("no_such_run", f"Unknown run: {named[:100]}") from None
        for status in ("running", "pending"):
            if found := await self._runs.list(scope, thread_id, limit=1, offset=0, status=status):
                return found[0]
        if latest is None or (await self._threads.get(scope, thread_id)).status != "interrupted":
            raise CommandError("no_such_run", "No active run is bound to this thread.")
        return latest

    async def _subgraphs(self, scope: Scope, thread_id: str, run_id: str) -> dict[tuple[str, ...], dict[str, Any]]:
        """What the events of a run tell of its subgraphs, by their namespaces."""
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        events = await self._events.subscribe(scope, thread_id, [_LIFECYCLE])
        try:
            while told := await events.next(0):
                for event in map(orjson.loads, (each.frame for each in told)):
                    namespace, data = event["params"]["namespace"], event["params"]["data"]
                    if not namespace or run_id not in event["event_id"]:
                        continue
                    known = found.get(tuple(namespace), {"graph_name": namespace[-1].partition(":")[0]})
                    found[tuple(namespace)] = {
                        "namespace": namespace,
                        "status": data["event"],
                        "graph_name": data.get("graph_name") or known["graph_name"],
                    }
        finally:
            await events.close()
        return found


def _hang(root: dict[str, Any], subgraphs: Mapping[tuple[str, ...], dict[str, Any]]) -> None:
    """Puts each subgraph below the next one above it that is known."""
    for namespace in sorted(subgraphs, key=len):
        above = (namespace[:length] for length in range(len(namespace) - 1, 0, -1))
        parent = next((subgraphs[each] for each in above if each in subgraphs), root)
        parent.setdefault("children", []).append(subgraphs[namespace])


def _summary(state: Mapping[str, Any]) -> dict[str, Any]:
    metadata = state["metadata"] or {}
    return {
        "id": state["checkpoint_id"],
        "timestamp": state["created_at"],
        "step": int(metadata.get("step", 0)),
        "metadata": metadata,
    }


def _place(params: Mapping[str, Any]) -> CheckpointConfig | None:
    namespace: Sequence[str] = params.get("namespace") or ()
    return {"checkpoint_ns": "|".join(namespace)} if namespace else None


def _no_namespace(params: Mapping[str, Any]) -> CommandError:
    return CommandError("no_such_namespace", f"There is no state of {'|'.join(params['namespace'])[:200]}")
