"""Assistants as tools: their names, the schemas of their arguments, and what becomes of a call."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from runyard.generated.models import Assistant, AssistantSearchRequest
from runyard.handlers.api.assistant_access import read_assistant, search_assistants
from runyard.handlers.api.assistants import AssistantService
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.errors import RunyardError, StorageUnavailable

MOST_TOOLS: Final = 1000
"""The assistants that are tools: as many as one search answers, the oldest."""
LONGEST_NAME: Final = 64
"""Characters of a tool's name: models take no more."""

LONGEST_LOOK: Final = 5.0
"""Seconds in which a graph that is loaded has to say what it takes: a factory that hangs keeps no other tool from being
listed."""
AT_ONCE: Final = 8
"""Graphs that are looked at at once."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]")
_ANNOTATIONS: Final = {
    "readOnlyHint": False,
    "destructiveHint": False,
    "idempotentHint": False,
    "openWorldHint": True,
}
_MESSAGES: Final = {"type": "string", "title": "Messages", "description": "The user message to send to the agent."}
"""What takes the place of a list of messages (observed at POST /mcp)."""
_INPUT: Final = "input"
"""The one argument of a tool whose graph does not take an object."""


class Tools:
    """The tools that somebody may use."""

    def __init__(self, assistants: AssistantService) -> None:
        self._assistants = assistants

    async def named(self, principal: Principal) -> dict[str, Assistant]:
        """The assistants by their names as tools, the oldest first: a name stays with who had it first."""
        request = AssistantSearchRequest(limit=MOST_TOOLS, sort_by="created_at", sort_order="asc")
        scope, request = await search_assistants(principal, request)
        found: dict[str, Assistant] = {}
        for assistant in (await self._assistants.search(scope, request)).items:
            name = _UNUSUAL.sub("_", assistant.name)[:LONGEST_NAME] or "_"
            if name in found:
                end = f"_{assistant.assistant_id[-12:]}"
                name = f"{name[: LONGEST_NAME - len(end)]}{end}"
            found[name] = assistant
        return found

    async def described(self, principal: Principal, named: Mapping[str, Assistant]) -> list[dict[str, Any]]:
        """What `tools/list` says of them, without those that may not be read, and those whose graph cannot be loaded or
        does not say in time what it takes. Raises Unavailable when the database cannot be had: clients keep what they
        are told."""
        with contextlib.suppress(RunyardError):  # each of them is told it
            await self._assistants.ready_to_look()
        room = asyncio.Semaphore(AT_ONCE)

        async def describe(name: str, assistant: Assistant) -> dict[str, Any] | None:
            try:
                async with room, asyncio.timeout(LONGEST_LOOK):
                    schema = await self._input_schema(principal, assistant.assistant_id)
            except StorageUnavailable:
                raise
            except (Refusal, RunyardError, TimeoutError):
                return None
            return {
                "name": name,
                "title": assistant.name,
                "description": assistant.description or f"Tool based on the {assistant.name} assistant",
                "inputSchema": arguments_schema(schema),
                "annotations": _ANNOTATIONS,
            }

        described = await asyncio.gather(*(describe(name, assistant) for name, assistant in named.items()))
        return [tool for tool in described if tool is not None]

    async def input_of(self, principal: Principal, assistant: Assistant, arguments: dict[str, Any]) -> Any:
        """What the graph is to be called with. Raises RunyardError."""
        schema = await self._input_schema(principal, assistant.assistant_id)
        if not _takes_object(schema):
            return arguments.get(_INPUT)
        said = arguments.get("messages")
        if isinstance(said, str) and "messages" in schema.get("properties", {}):
            return {**arguments, "messages": [{"role": "user", "content": said}]}
        return arguments

    async def _input_schema(self, principal: Principal, assistant_id: str) -> dict[str, Any]:
        scope = await read_assistant(principal, assistant_id)
        schema = orjson.loads(await self._assistants.schemas(scope, assistant_id)).get("input_schema")
        return schema or {"type": "object", "properties": {}}


def arguments_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a tool's arguments, from that of its graph's input: always an object. A list of messages becomes
    one text."""
    if not _takes_object(schema):
        inner = {key: value for key, value in schema.items() if key != "$defs"}
        shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        return {"type": "object", "properties": {_INPUT: inner}, "required": [_INPUT], **shared}
    made = {**schema, "type": "object"}
    if "messages" in schema.get("properties", {}):
        made["properties"] = {**schema["properties"], "messages": _MESSAGES}
        made["required"] = [*dict.fromkeys((*schema.get("required", ()), "messages"))]
    if "$defs" in made and b'"$ref"' not in orjson.dumps({key: made[key] for key in made if key != "$defs"}):
        del made["$defs"]
    return made


def call_result(answer: bytes) -> dict[str, Any]:
    """What `tools/call` answers, from what the run answered."""
    values = orjson.loads(answer)
    if isinstance(values, dict) and "__error__" in values:
        error = values["__error__"]
        return _failed(error["error"], error)
    if isinstance(values, dict) and "__interrupt__" in values:
        return _failed("The graph stopped at a question, which a tool cannot be answered", values)
    result: dict[str, Any] = {"content": [{"type": "text", "text": repr(values)}]}
    if isinstance(values, dict):
        result["structuredContent"] = values
    return result


def _failed(text: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"isError": True, "content": [{"type": "text", "text": text}], "structuredContent": more}


def _takes_object(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema or schema.get("type") == "object"
