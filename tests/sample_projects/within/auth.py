"""Everybody reaches what is theirs; `asking` asks the server before it lets somebody in."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth, get_client

USERS = {"ann-token": "ann", "bob-token": "bob", "asking-token": "asking"}

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> dict[str, Any]:
    _, _, token = (authorization or "").partition(" ")
    if token not in USERS:
        raise Auth.exceptions.HTTPException(status_code=401, detail="Invalid token")
    threads = await get_client().threads.count() if token == "asking-token" else None
    return {"identity": USERS[token], "threads": threads}


@auth.on
async def owner_only(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Auth.types.FilterType:
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


@auth.on.store
async def own_store(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    value["namespace"] = (ctx.user.identity, *(value.get("namespace") or ()))
