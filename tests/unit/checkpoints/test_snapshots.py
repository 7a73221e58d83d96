"""LangGraph's snapshots in the interface's words, whichever LangGraph made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from langgraph.types import PregelTask, StateSnapshot

from runyard.runtime.checkpoints.snapshots import stored_interrupts


@dataclass(frozen=True)
class OldInterrupt:
    """A question as LangGraph before 1.2.11 asks it: without a schema of its answer."""

    value: Any
    id: str


@dataclass(frozen=True)
class NewInterrupt(OldInterrupt):
    response_schema: dict[str, Any] | None = None


def asked(*interrupts: OldInterrupt) -> Any:
    task = PregelTask("t", "ask", ("__pregel_pull", "ask"), interrupts=interrupts)  # type: ignore[arg-type]
    config: Any = {"configurable": {"thread_id": "x", "checkpoint_id": "c"}}
    snapshot = StateSnapshot({}, ("ask",), config, None, "2026-01-01", None, (task,), ())
    return json.loads(stored_interrupts(snapshot))


def test_a_question_is_kept_with_the_schema_of_its_answer_where_there_is_one() -> None:
    assert asked(OldInterrupt("ok?", "i")) == {"t": [{"id": "i", "value": "ok?"}]}
    assert asked(NewInterrupt("ok?", "i")) == {"t": [{"id": "i", "value": "ok?"}]}
    schema = {"type": "boolean"}
    assert asked(NewInterrupt("ok?", "i", schema)) == {"t": [{"id": "i", "value": "ok?", "response_schema": schema}]}
