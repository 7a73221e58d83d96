"""Rows belong to tenants. Threads may be shared with other users by name; assistants of a tenant are read by all of it
and written by its admins. Studio and support see everything and change nothing."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """Claims as a token carries them; nobody has signed them here."""
    claims = json.loads(b64decode((authorization or "").removeprefix("Bearer ")) or "null")
    if not claims:
        raise Auth.exceptions.HTTPException(status_code=401, detail="No claims")
    return {"identity": claims["sub"], "permissions": claims.get("scope", "").split(), **claims}


def _is_support(ctx: Auth.types.AuthContext) -> bool:
    return "support" in ctx.permissions


@auth.on(actions=["create", "create_run"])
async def make(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | None:
    if _is_support(ctx):
        return False
    value.setdefault("metadata", {})["tenant"] = ctx.user["tenant"]
    return None


@auth.on.threads(actions=["create_run"])
async def run(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | Auth.types.FilterType:
    return False if _is_support(ctx) else {"tenant": ctx.user["tenant"]}


@auth.on(actions=["read", "search"])
async def look(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | Auth.types.FilterType:
    return True if _is_support(ctx) else {"tenant": ctx.user["tenant"]}


@auth.on(actions=["update", "delete"])
async def change(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | Auth.types.FilterType:
    if _is_support(ctx) or (ctx.resource == "assistants" and "admin" not in ctx.permissions):
        return False
    return {"tenant": ctx.user["tenant"]}
