"""Nothing is allowed but what a handler of its own allows; handlers stamp what is made, and filter what is read."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes]) -> Auth.types.MinimalUserDict:
    user = headers.get(b"x-user")
    if user is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail="Say who you are in x-user")
    return {"identity": user.decode(), "permissions": ["read"] if user == b"reader" else ["read", "write"]}


@auth.on
async def deny(ctx: Auth.types.AuthContext, value: Any) -> bool:
    return False


@auth.on.threads.create
async def create_thread(ctx: Auth.types.AuthContext, value: Auth.types.on.threads.create.value) -> None:
    if "write" not in ctx.permissions:
        raise Auth.exceptions.HTTPException(
            status_code=403, detail="User lacks the required permissions.", headers={"x-missing": "write"}
        )
    value.setdefault("metadata", {})["owner"] = ctx.user.identity


@auth.on.threads.read
async def read_thread(ctx: Auth.types.AuthContext, value: Auth.types.on.threads.read.value) -> Auth.types.FilterType:
    return {"owner": ctx.user.identity}


@auth.on.threads.search
async def search_threads(
    ctx: Auth.types.AuthContext, value: Auth.types.on.threads.search.value
) -> Auth.types.FilterType:
    return {"owner": {"$eq": ctx.user.identity}}


@auth.on.threads.create_run
async def create_run(
    ctx: Auth.types.AuthContext, value: Auth.types.on.threads.create_run.value
) -> Auth.types.FilterType:
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    value["kwargs"]["config"]["configurable"]["asked_by"] = ctx.user.display_name
    return {"owner": ctx.user.identity}


@auth.on.threads.delete
async def delete_thread(ctx: Auth.types.AuthContext, value: Auth.types.on.threads.delete.value) -> bool:
    raise RuntimeError("the directory of users is away")


@auth.on.assistants.read
async def read_assistant(ctx: Auth.types.AuthContext, value: Auth.types.on.assistants.read.value) -> bool:
    assert set(value) <= {"assistant_id", "metadata"}, "Not authorized"
    return True


@auth.on.store(actions=["get", "put", "search"])
async def use_store(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    assert value["namespace"][0] == ctx.user.identity, "Not authorized"
