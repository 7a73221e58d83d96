"""Users call themselves as they like, and each is told nothing of others: names are put in front of namespaces as the
guide has it."""

from __future__ import annotations

from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes]) -> str:
    user = headers.get(b"x-user")
    if not user:
        raise Auth.exceptions.HTTPException(status_code=401, detail="Say who you are in x-user")
    return user.decode()


@auth.on
async def own_rows(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> Auth.types.FilterType:
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


@auth.on.store
async def own_items(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    namespace = tuple(value["namespace"] or ())
    if namespace[:1] != (ctx.user.identity,):
        namespace = (ctx.user.identity, *namespace)
    value["namespace"] = namespace
