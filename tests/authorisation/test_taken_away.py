"""What a handler takes out of a request is not done: nothing falls back to what the client had sent."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk import Auth

from runyard.generated.models import AssistantCreate, Command, Cron, RunCreateStateful
from runyard.handlers.api.assistant_access import create_assistant, patch_assistant
from runyard.handlers.api.cron_access import create_cron, patch_cron
from runyard.handlers.api.run_access import create_run
from runyard.handlers.api.thread_access import patch_thread
from runyard.runtime.auth.principal import Principal, principal_of
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.rules import Rules
from runyard.runtime.auth.user import read_user
from runyard.runtime.scope import Scope

ID = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def caller() -> Principal:
    """Somebody whom the project leaves nothing of what it knows of."""
    auth = Auth()

    @auth.on
    async def take_away(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
        for name in ("config", "context", "name", "metadata"):
            if isinstance(value.get(name), dict):
                value[name] = {}
            else:
                value.pop(name, None)
        for arguments in (value.get("kwargs"), value.get("payload")):
            for name in ("input", "config", "context", "webhook", "command"):
                (arguments or {}).pop(name, None)

    return principal_of(read_user("ann"), Rules(auth, timeout=5))


@pytest.fixture
def emptier() -> Principal:
    """Somebody whose runs the project does not let be configured."""
    auth = Auth()

    @auth.on.threads.create_run
    async def empty(ctx: Auth.types.AuthContext, value: Any) -> None:
        value["kwargs"]["config"]["configurable"].clear()
        if value["kwargs"]["command"]:
            value["kwargs"]["command"].pop("update", None)

    return principal_of(read_user("ann"), Rules(auth, timeout=5))


async def no_cron(scope: Scope, cron_id: str) -> Cron:
    time = "2026-01-01T00:00:00+00:00"
    return Cron(
        cron_id=cron_id,
        assistant_id=ID,
        thread_id=None,
        schedule="0 0 1 1 *",
        timezone=None,
        end_time=None,
        enabled=True,
        on_run_completed="delete",
        payload={},
        metadata={},
        next_run_date=None,
        user_id="ann",
        created_at=time,
        updated_at=time,
    )


async def test_metadata_of_a_thread(caller: Principal) -> None:
    _, given = await patch_thread(caller, ID, {"metadata": {"role": "admin"}, "ttl": 5})
    assert given == {"metadata": {}, "ttl": 5}


async def test_what_an_assistant_is_made_of(caller: Principal) -> None:
    asked = AssistantCreate(graph_id="g", config={"tags": ["x"]}, context={"role": "admin"}, metadata={"role": "admin"})
    _, request = await create_assistant(caller, asked)
    assert (request.config, request.context, request.metadata) == ({}, {}, {})


async def test_what_an_assistant_is_changed_to(caller: Principal) -> None:
    _, given = await patch_assistant(caller, ID, {"context": {"role": "admin"}, "name": "n", "graph_id": "g"})
    assert given == {"context": {}, "graph_id": "g"}


async def test_what_a_run_is_made_of(caller: Principal) -> None:
    asked = RunCreateStateful(
        assistant_id=ID, input={"n": 1}, webhook="https://x.example", context={"role": "admin"}, config={"tags": ["x"]}
    )
    _, request = await create_run(caller, asked, ID)
    assert (request.input, request.webhook, request.context, request.config) == (None, None, None, {})


async def test_what_a_run_is_configured_with(emptier: Principal) -> None:
    asked = RunCreateStateful(assistant_id=ID, config={"configurable": {"role": "admin"}})
    _, request = await create_run(emptier, asked, ID)
    assert request.config == {}


async def test_metadata_of_a_run_that_came_with_its_config(caller: Principal, emptier: Principal) -> None:
    asked = RunCreateStateful(assistant_id=ID, config={"metadata": {"role": "admin"}})
    _, request = await create_run(emptier, asked, ID)
    assert (request.metadata, request.config) == ({"role": "admin"}, {})
    _, request = await create_run(caller, asked, ID)
    assert (request.metadata, request.config) == ({}, {})


async def test_parts_of_a_command(caller: Principal, emptier: Principal) -> None:
    asked = RunCreateStateful(assistant_id=ID, command=Command(update={"role": "admin"}, resume="yes"))
    _, request = await create_run(emptier, asked, ID)
    assert request.command == Command(resume="yes")
    _, request = await create_run(caller, asked, ID)
    assert request.command is None


async def test_what_the_runs_of_a_cron_are_made_of(caller: Principal) -> None:
    fields = {"input": {"n": 1}, "config": {"configurable": {"role": "admin"}}, "schedule": "* * * * *"}
    _, given = await create_cron(caller, {**fields, "assistant_id": ID}, None)
    assert {name: given[name] for name in fields if given.get(name)} == {"schedule": "* * * * *"}
    _, given = await patch_cron(caller, no_cron, ID, {**fields, "metadata": {"role": "admin"}})
    assert {name: value for name, value in given.items() if value} == {"schedule": "* * * * *"}


async def test_who_changes_the_runs_of_a_cron_has_to_be_allowed_such_a_run() -> None:
    auth, asked = Auth(), []

    @auth.on.threads.create_run
    async def refuse(ctx: Auth.types.AuthContext, value: Any) -> bool:
        asked.append(value["kwargs"]["input"])
        return False

    ann = principal_of(read_user("ann"), Rules(auth, timeout=5))
    for fields in ({"input": {"n": 1}}, {"webhook": "https://x.example"}, {"metadata": {"role": "admin"}}):
        with pytest.raises(Refusal):
            await patch_cron(ann, no_cron, ID, fields)
    assert asked == [{"n": 1}, None, None]
    _, given = await patch_cron(ann, no_cron, ID, {"enabled": False})
    assert given == {"enabled": False}
