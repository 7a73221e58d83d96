"""The commands that start runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

import orjson

from runyard.generated.mappings import CheckpointConfig
from runyard.generated.models import Command, Run, RunCreateStateful, Send
from runyard.handlers.api.assistant_access import read_assistant
from runyard.handlers.api.disconnect import cancel_on_disconnect
from runyard.handlers.api.run_access import create_run
from runyard.handlers.contract.models import model_maker
from runyard.handlers.protocols.thread_events.callers import Caller
from runyard.handlers.protocols.thread_events.messages import CommandError
from runyard.handlers.protocols.thread_events.services import ProtocolServices
from runyard.runtime.config.ids import usual_id
from runyard.runtime.scope import Scope
from runyard.runtime.services.configuration import knows_strict_resume
from runyard.runtime.services.thread_events import EventFilter

_UNDER_WAY: Final = ("pending", "running")
_MOST_UNDER_WAY: Final = 100
"""Runs of a thread that are looked at for answers to interrupts."""
_INPUT: Final = EventFilter(channels=frozenset(("input",)))
_OF_STREAMS: Final = ("stream_mode", "stream_subgraphs", "stream_resumable", "feedback_keys")
"""Fields of runs that say which events there are: with the protocol, subscriptions do."""

_make_run = model_maker(RunCreateStateful)


class RunCommands:
    """Carries out `run.start`, `input.respond`, `input.inject` and `state.fork`. `scope` reaches as far as the caller
    may look. All raise CommandError and RunyardError."""

    def __init__(self, services: ProtocolServices) -> None:
        self._assistants = services.assistants
        self._threads = services.threads
        self._states = services.states
        self._runs = services.runs
        self._events = services.events

    async def start(self, caller: Caller, params: Mapping[str, Any]) -> dict[str, Any]:
        """A run, as `POST /threads/{thread_id}/runs` takes it; the thread is created if it does not exist."""
        if pointless := [name for name in _OF_STREAMS if name in params]:
            raise CommandError(
                "invalid_argument",
                f"command.params.{pointless[0]}: the events of a run are those of subscriptions; leave it out, and ask"
                " for their channels",
            )
        cancelling = params.get("on_disconnect") == "cancel"
        if cancelling and caller.at_disconnect is None:
            raise CommandError(
                "not_supported",
                "command.params.on_disconnect: over HTTP no connection stays open for the run; send run.start over a"
                " WebSocket",
            )
        request = _make_run({"if_not_exists": "create", **_with_checkpoint(params)})
        scope, run = await self._create(caller, request)
        if cancelling and caller.at_disconnect is not None:
            caller.at_disconnect(cancel_on_disconnect(self._runs, scope, run))
        return {"run_id": run.run_id}

    async def respond(self, caller: Caller, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
        """A run that goes on from the interrupts that are answered, of the assistant whose run they stopped."""
        latest = await self._latest(scope, caller.thread_id)
        answers = {each["interrupt_id"]: each["response"] for each in params.get("responses", (params,))}
        if latest is None:
            raise _no_interrupt(answers)

        async def check() -> None:
            waiting = await self._waiting(scope, caller.thread_id)
            if unknown := [name for name in answers if name not in waiting]:
                raise _no_interrupt(unknown)

        strict = params.get("strict_resume")
        request = RunCreateStateful(
            assistant_id=latest.assistant_id,
            command=Command(resume=answers, update=params.get("update"), goto=_goto(params.get("goto"))),
            config=params.get("config"),
            metadata=params.get("metadata"),
            strict_resume=knows_strict_resume() if strict is None else strict,
        )
        _, run = await self._create(caller, request, check)
        return {"run_id": run.run_id}

    async def inject(self, caller: Caller, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
        """A run with a message as its input, of the assistant of the thread's latest run."""
        if params.get("namespace"):
            raise CommandError("not_supported", "command.params.namespace: messages reach the graph itself only")
        latest = await self._latest(scope, caller.thread_id)
        if latest is None:
            raise CommandError("no_such_run", "There is no run on the thread that a message could be for")
        name = latest.assistant_id
        schemas = orjson.loads(await self._assistants.schemas(await read_assistant(caller.principal, name), name))
        if "messages" not in (schemas.get("input_schema") or {}).get("properties", {}):
            raise CommandError("not_supported", f"The graph of assistant {name} does not take messages")
        given = {key: params["message"][key] for key in ("role", "content", "name") if key in params["message"]}
        request = RunCreateStateful(assistant_id=name, input={"messages": [given]})
        _, run = await self._create(caller, request)
        return {"run_id": run.run_id}

    async def fork(self, caller: Caller, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
        """A run from a checkpoint of the thread's history, of the assistant that made it."""
        checkpoint: CheckpointConfig = {"checkpoint_id": usual_id(params["checkpoint_id"]) or params["checkpoint_id"]}
        wanted = ("metadata", "created_at")
        state = orjson.loads(await self._states.state(scope, caller.thread_id, checkpoint, select=wanted))
        if state["created_at"] is None:
            raise CommandError("no_such_checkpoint", f"Unknown checkpoint: {params['checkpoint_id'][:100]}")
        assistant_id = (state["metadata"] or {}).get("assistant_id")
        if not isinstance(assistant_id, str):
            latest = await self._latest(scope, caller.thread_id)
            if latest is None:
                raise CommandError(
                    "no_such_run", "No run has been made on the thread, so nothing says by which assistant"
                )
            assistant_id = latest.assistant_id
        request = RunCreateStateful(
            assistant_id=assistant_id,
            checkpoint=checkpoint,
            input=params.get("input"),
            config=params.get("config"),
        )
        _, run = await self._create(caller, request)
        return {"run_id": run.run_id, "thread_id": run.thread_id}

    async def _create(
        self, caller: Caller, request: RunCreateStateful, first: Callable[[], Awaitable[None]] | None = None
    ) -> tuple[Scope, Run]:
        scope, allowed = await create_run(caller.principal, request, caller.thread_id)
        run = await self._runs.create(
            scope,
            allowed,
            thread_id=caller.thread_id,
            headers=caller.headers,
            request_id=caller.request_id,
            once=caller.once,
            protocol=True,
            first=first,
        )
        return scope, run

    async def _latest(self, scope: Scope, thread_id: str) -> Run | None:
        runs = await self._runs.list(scope, thread_id, limit=1, offset=0, status=None)
        return runs[0] if runs else None

    async def _waiting(self, scope: Scope, thread_id: str) -> set[str]:
        """The interrupts of the thread that no run that is under way answers already; also those that such a run tells
        of by now, since clients hear of them before it has ended."""
        runs = [
            run
            for status in _UNDER_WAY
            for run in await self._runs.list(scope, thread_id, limit=_MOST_UNDER_WAY, offset=0, status=status)
        ]
        # After them: one that has ended since has left its interrupts. As JSON, which is what storage holds.
        thread = await self._threads.get(scope, thread_id)
        tasks: dict[str, list[dict[str, Any]]] = orjson.loads(orjson.dumps(thread.interrupts or {}))
        waiting = {str(each.get("id")) for asked in tasks.values() for each in asked}
        if runs:
            waiting |= await self._told(scope, thread_id, {run.run_id for run in runs})
        for run in runs:
            resume = (run.kwargs.get("command") or {}).get("resume")
            waiting -= {*resume} if isinstance(resume, dict) else set()
        return waiting

    async def _told(self, scope: Scope, thread_id: str, run_ids: Collection[str]) -> set[str]:
        """The interrupts that the events of some runs tell of."""
        found = set()
        events = await self._events.subscribe(scope, thread_id, [_INPUT])
        try:
            while told := await events.next(0):
                for event in map(orjson.loads, (each.frame for each in told)):
                    if any(run_id in event["event_id"] for run_id in run_ids):
                        found.add(str(event["params"]["data"]["interrupt_id"]))
        finally:
            await events.close()
        return found


def _with_checkpoint(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's parameters, with the checkpoint that its config names, as clients fork, where a run has it."""
    named = ((params.get("config") or {}).get("configurable") or {}).get("checkpoint_id")
    if not isinstance(named, str) or "checkpoint" in params or "checkpoint_id" in params:
        return params
    return {**params, "checkpoint": {"checkpoint_id": usual_id(named) or named}}


def _goto(given: Any) -> Send | str | list[Send | str] | None:
    if isinstance(given, list):
        return [_target(each) for each in given]
    return None if given is None else _target(given)


def _target(given: Any) -> Send | str:
    return given if isinstance(given, str) else Send(node=given["node"], input=given.get("input"))


def _no_interrupt(interrupt_ids: Sequence[str] | Mapping[str, Any]) -> CommandError:
    named = next(iter(interrupt_ids))
    return CommandError("no_such_interrupt", f"Unknown or already-consumed interrupt: {named[:100]}")
