"""MCP over streamable HTTP, without sessions: every message is answered by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from runyard.generated.models import RunCreateStateless
from runyard.handlers.api.assistants import AssistantService
from runyard.handlers.api.disconnect import cancel_on_disconnect
from runyard.handlers.api.run_access import create_run
from runyard.handlers.api.stateless_runs import StatelessRunService
from runyard.handlers.api.system import SystemService
from runyard.handlers.contract.messages import Messages
from runyard.handlers.http.disconnect import OnDisconnect
from runyard.handlers.http.json_wait import JsonWait, ResultWaiter
from runyard.handlers.http.responses import BodyResponse, Response, json_response
from runyard.handlers.protocols.json_rpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    RpcError,
    Work,
    error_message,
    error_response,
    result_message,
    until_result,
)
from runyard.handlers.protocols.mcp.revisions import (
    PER_REQUEST,
    SERVER_KEY,
    SUPPORTED,
    WITH_BATCHES,
    WITHOUT_HEADER,
    check_request,
    negotiated,
    unknown_method,
    unsupported,
)
from runyard.handlers.protocols.mcp.tools import Tools, call_result
from runyard.runtime.auth.principal import Principal
from runyard.runtime.errors import Invalid, RunyardError
from runyard.runtime.services.new_runs import Headers

PAGE: Final = 100
"""Tools that are told of at once: each needs a look at its graph."""

_ACCEPTED = ("application/json", "text/event-stream", "application/*", "text/*", "*/*")
_CAPABILITIES: Final = {"tools": {"listChanged": False}}
_COMPONENTS: Final = {"initialize": "McpInitialize", "tools/list": "McpListTools", "tools/call": "McpCallTool"}
"""What the message of a method has to fit."""


class Call:
    """A tool that is being executed."""

    def __init__(self, waiter: ResultWaiter, on_disconnect: OnDisconnect) -> None:
        self.waiter = waiter
        self.on_disconnect = on_disconnect

    async def result(self) -> dict[str, Any]:
        """What the call answers."""
        return call_result(await until_result(self.waiter))


class Request:
    """Who sent the messages of one request, and what all of them have in common."""

    def __init__(self, principal: Principal, revision: str, headers: Headers, request_id: str | None) -> None:
        self.principal = principal
        self.revision = revision
        self.headers = headers
        self.request_id = request_id

    @property
    def is_modern(self) -> bool:
        """Whether there was no handshake before it."""
        return self.revision in PER_REQUEST


class McpHandlers:
    """The operations with the tag MCP."""

    def __init__(
        self,
        assistants: AssistantService,
        runs: StatelessRunService,
        system: SystemService,
        document: Mapping[str, Any],
    ) -> None:
        self._runs = runs
        self._tools = Tools(assistants)
        self._messages = Messages(document)
        self._server = {"name": "Runyard", "version": system.info()["version"]}

    async def get(self) -> Response:
        """GET /mcp/"""
        return BodyResponse(405, headers=[(b"allow", b"OPTIONS, POST")])

    async def delete(self) -> Response:
        """DELETE /mcp/"""
        return BodyResponse(404)

    async def post(
        self,
        principal: Principal,
        body: bytes,
        configurable_headers: Headers,
        accept: str | None,
        mcp_protocol_version: str | None,
        mcp_method: str | None,
        mcp_name: str | None,
        x_request_id: str | None,
    ) -> Response:
        """POST /mcp/"""
        if accept is not None and not _accepts(accept):
            return _refused("Accept header must include application/json or text/event-stream")
        revision = WITHOUT_HEADER if mcp_protocol_version is None else mcp_protocol_version
        try:
            message = await self._messages.read(body)
            self._messages.check("McpBody", message, "body")
        except Invalid as error:
            return _refused(error.detail)
        request = Request(principal, revision, configurable_headers, x_request_id)
        if isinstance(message, list):
            return await self._several(request, message)
        if not _is_request(message):
            return BodyResponse(202)
        try:
            if revision not in SUPPORTED and message["method"] != "initialize":
                raise unsupported(revision)
            if request.is_modern:
                check_request(message, revision, mcp_method, mcp_name)
            result = await self._carried_out(request, message)
        except RpcError as error:
            status = 404 if error.code == METHOD_NOT_FOUND else 400
            refused = request.is_modern or revision not in SUPPORTED
            return error_response(error_message(message["id"], error), [error], status if refused else 200)
        if isinstance(result, Call):
            # Closing the connection is how a client of today cancels; before, it meant nothing.
            on_disconnect = result.on_disconnect if request.is_modern else None
            return JsonWait(Work(self._encoded(request, message, result)), [], on_disconnect)
        return json_response(self._answer(request, message, result))

    async def _several(self, request: Request, messages: list[dict[str, Any]]) -> Response:
        if request.revision != WITH_BATCHES:
            return _refused(f"Several messages at once are not part of the revision {request.revision}")
        answers: list[dict[str, Any] | Call] = []
        errors: list[RpcError] = []
        wanted = [message for message in messages if _is_request(message)]
        for message in wanted:
            try:
                result = await self._carried_out(request, message)
                answers.append(result if isinstance(result, Call) else self._answer(request, message, result))
            except RpcError as error:
                errors.append(error)
                answers.append(error_message(message["id"], error))
            except BaseException:
                for begun in answers:
                    if isinstance(begun, Call):
                        await begun.waiter.close()
                raise
        if not answers:
            return BodyResponse(202)
        if len(errors) == len(answers):
            return error_response(answers, errors)

        async def encoded() -> bytes:
            async def answer(message: dict[str, Any], found: dict[str, Any] | Call) -> dict[str, Any]:
                return self._answer(request, message, await found.result()) if isinstance(found, Call) else found

            return orjson.dumps(await asyncio.gather(*map(answer, wanted, answers)))

        return JsonWait(Work(encoded()), [])

    async def _encoded(self, request: Request, message: Mapping[str, Any], call: Call) -> bytes:
        return orjson.dumps(self._answer(request, message, await call.result()))

    def _answer(self, request: Request, message: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        if request.is_modern:
            result = {**result, "resultType": "complete", "_meta": {SERVER_KEY: self._server}}
        return result_message(message["id"], result)

    async def _carried_out(self, request: Request, message: Mapping[str, Any]) -> dict[str, Any] | Call:
        """The result of a request, or the call that will have it. Raises RpcError."""
        method: str = message["method"]
        params: Mapping[str, Any] = message.get("params", {})
        try:
            if method in _COMPONENTS:
                self._messages.check(_COMPONENTS[method], message, "message")
            match method:
                case "initialize" if not request.is_modern:
                    revision = negotiated(params["protocolVersion"])
                    return {"protocolVersion": revision, "capabilities": _CAPABILITIES, "serverInfo": self._server}
                case "server/discover" if request.is_modern:
                    return {"supportedVersions": [*SUPPORTED], "capabilities": _CAPABILITIES, **_uncached(request)}
                case "ping":
                    return {}
                case "tools/list":
                    return await self._list(request, int(params.get("cursor", "0")))
                case "tools/call":
                    return await self._call(request, params["name"], params.get("arguments", {}))
        except RunyardError as error:
            raise RpcError.of(error) from None
        raise unknown_method(method)

    async def _list(self, request: Request, start: int) -> dict[str, Any]:
        named = [*(await self._tools.named(request.principal)).items()]
        page = await self._tools.described(request.principal, dict(named[start : start + PAGE]))
        more = {"nextCursor": str(start + PAGE)} if start + PAGE < len(named) else {}
        return {"tools": page, **more, **_uncached(request)}

    async def _call(self, request: Request, name: str, arguments: dict[str, Any]) -> Call:
        assistant = (await self._tools.named(request.principal)).get(name)
        if assistant is None:
            raise RpcError(INVALID_PARAMS, f"Unknown tool: {name[:100]}")
        given = await self._tools.input_of(request.principal, assistant, arguments)
        wanted = RunCreateStateless(assistant_id=assistant.assistant_id, input=given)
        scope, wanted = await create_run(request.principal, wanted)
        run, waiter = await self._runs.wait(scope, wanted, headers=request.headers, request_id=request.request_id)
        return Call(waiter, cancel_on_disconnect(self._runs, scope, run))


def _is_request(message: Mapping[str, Any]) -> bool:
    return "method" in message and "id" in message


def _accepts(accept: str) -> bool:
    return any(part.partition(";")[0].strip().lower() in _ACCEPTED for part in accept.split(","))


def _uncached(request: Request) -> dict[str, Any]:
    """What 2026-07-28 wants to know of results that clients could keep: they are somebody's own, and may change."""
    return {"ttlMs": 0, "cacheScope": "private"} if request.is_modern else {}


def _refused(text: str) -> Response:
    """What came is no message."""
    return json_response({"error": text}, 400)
