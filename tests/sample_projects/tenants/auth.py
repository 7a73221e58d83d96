"""Rows belong to tenants. Guests read what names them; assistants of a tenant are changed by its admins only. Support
sees everything and changes nothing."""

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
    if "support" in ctx.permissions or "guest" in ctx.permissions:
        return False
    value.setdefault("metadata", {})["tenant"] = ctx.user["tenant"]
    return None


@auth.on.threads(actions=["create_run"])
async def run(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | Auth.types.FilterType:
    return False if _is_support(ctx) else {"tenant": {"$eq": ctx.user["tenant"]}}


@auth.on(actions=["read", "search"])
async def look(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | Auth.types.FilterType:
    if _is_support(ctx):
        return True
    if "guest" in ctx.permissions:
        return {"tenant": ctx.user["tenant"], "guests": {"$contains": ctx.user.identity}}
    return {"tenant": ctx.user["tenant"]}


@auth.on(actions=["update", "delete"])
async def change(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool | Auth.types.FilterType:
    if _is_support(ctx) or (ctx.resource == "assistants" and "admin" not in ctx.permissions):
        return False
    return {"tenant": ctx.user["tenant"]}
