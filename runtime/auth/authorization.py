"""Whether somebody may do something, and to which rows: where requests ask the rules of the project."""

from __future__ import annotations

from dataclasses import replace

from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.rules import Value
from runyard.runtime.scope import Scope


async def authorize(principal: Principal, resource: str, action: str, value: Value) -> Scope:
    """Asks the project's handler whether the principal may do it; the answer says to which rows.

    `resource` and `action` are those of `langgraph_sdk.Auth.on` ("threads", "create_run"), `value` is as its types have
    it; what the handler changes in it is to be done instead of what was asked. Raises Refusal. Where the project has no
    such handlers, everybody may do everything; callers that would have to make `value` first look at `rules`.
    """
    if principal.rules is None or principal.user is None:
        return principal.scope
    wanted = await principal.rules.decide(principal.user, resource, action, value)
    return replace(principal.scope, filter=wanted, beside={})
