"""A2A over JSON-RPC: one message a request, answered as JSON or as a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final, cast

import orjson

from runyard.generated.models import Assistant
from runyard.handlers.api.assistant_access import assistant_uuid, read_assistant
from runyard.handlers.api.assistants import AssistantService
from runyard.handlers.api.system import SystemService
from runyard.handlers.api.threads import ThreadService
from runyard.handlers.contract.messages import Messages
from runyard.handlers.http.event_stream import EventStream
from runyard.handlers.http.json_wait import JsonWait
from runyard.handlers.http.responses import Response, json_response
from runyard.handlers.protocols.a2a.agent import UNSUPPORTED, Agent, Caller, TaskRunService
from runyard.handlers.protocols.a2a.card import CardResponse
from runyard.handlers.protocols.a2a.dialects import METHODS, Dialect, read_message, state_of
from runyard.handlers.protocols.a2a.events import TaskEvents
from runyard.handlers.protocols.a2a.tasks import Task, TaskId
from runyard.handlers.protocols.json_rpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RequestId,
    RpcError,
    Work,
    error_message,
    error_response,
    result_message,
)
from runyard.runtime.auth.principal import Principal
from runyard.runtime.errors import EncryptionFailed, Invalid, NotFound, RunyardError, Unavailable
from runyard.runtime.services.new_runs import Headers

PUSH_NOT_SUPPORTED: Final = -32003
NO_EXTENDED_CARD: Final = -32007
VERSION_NOT_SUPPORTED: Final = -32009

DEFAULT_PAGE: Final = 50
"""Tasks of a page where the client does not say how many."""

_VERSIONS = ("0.3", "1.0")
_REFUSED: Final = {
    "agent/getAuthenticatedExtendedCard": (NO_EXTENDED_CARD, "There is only one card"),
    "GetExtendedAgentCard": (NO_EXTENDED_CARD, "There is only one card"),
}
_COMPONENTS: Final = {
    "send": "A2aSendParams",
    "stream": "A2aSendParams",
    "get": "A2aTaskParams",
    "cancel": "A2aTaskParams",
    "subscribe": "A2aTaskParams",
    "list": "A2aListParams",
}
"""What the parameters of a method have to fit."""


class A2aHandlers:
    """The operations with the tag A2A."""

    def __init__(
        self,
        assistants: AssistantService,
        runs: TaskRunService,
        threads: ThreadService,
        system: SystemService,
        document: Mapping[str, Any],
    ) -> None:
        self._assistants = assistants
        self._runs = runs
        self._threads = threads
        self._messages = Messages(document)
        self._version: str = system.info()["version"]

    async def card(self, principal: Principal, assistant_id: str | None) -> Response:
        """GET /.well-known/agent-card.json"""
        try:
            if assistant_id is None:
                raise RpcError(INVALID_PARAMS, "Missing required query parameter: assistant_id")
            assistant, schema = await self._assistant(principal, assistant_id)
        except RpcError as error:
            return json_response({"error": {"code": error.code, "message": error.message}}, 400)
        return CardResponse(assistant, schema, self._version)

    async def post(
        self,
        principal: Principal,
        body: bytes,
        configurable_headers: Headers,
        assistant_id: str,
        accept: str | None,
        a2a_version: str | None,
        langgraph_a2a_history_scope: str | None,
        x_request_id: str | None,
    ) -> Response:
        """POST /a2a/{assistant_id}"""
        request_id: RequestId = None
        try:
            message = await self._read(body)
            request_id = message.get("id")
            self._check(message, a2a_version)
            assistant, schema = await self._assistant(principal, assistant_id)
            if "messages" not in schema.get("properties", {}):
                raise RpcError(INVALID_PARAMS, f"The graph of assistant {assistant_id[:100]} does not take messages")
            whole = (langgraph_a2a_history_scope or "context").lower() != "task"
            caller = Caller(principal=principal, headers=configurable_headers, request_id=x_request_id, whole=whole)
            agent = Agent(assistant.assistant_id, self._runs, self._threads, caller)
            return await self._carried_out(agent, assistant.assistant_id, message)
        except RpcError as error:
            no_request = error.code in (PARSE_ERROR, INVALID_REQUEST)
            return error_response(error_message(request_id, error), [error], 400 if no_request else 200)
        except RunyardError as error:
            refused = RpcError.of(error)
            return error_response(error_message(request_id, refused), [refused])

    async def _read(self, body: bytes) -> dict[str, Any]:
        try:
            message = await self._messages.read(body)
        except Invalid as error:
            raise RpcError(PARSE_ERROR, error.detail) from None
        try:
            self._messages.check("A2aRequest", message, "body")
        except Invalid as error:
            raise RpcError(INVALID_REQUEST, error.detail) from None
        return cast("dict[str, Any]", message)

    def _check(self, message: Mapping[str, Any], version: str | None) -> None:
        """Raises RpcError for a method, a version or parameters that are not known."""
        method: str = message["method"]
        if version and not any(version == known or version.startswith(f"{known}.") for known in _VERSIONS):
            raise RpcError(VERSION_NOT_SUPPORTED, f"Version not supported; known are {' and '.join(_VERSIONS)}")
        if method in _REFUSED:
            raise RpcError(*_REFUSED[method])
        if "PushNotification" in method or "pushNotification" in method:
            raise RpcError(PUSH_NOT_SUPPORTED, "Push notifications are not supported; follow the task instead")
        if method not in METHODS:
            raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:100]}")
        try:
            self._messages.check(_COMPONENTS[METHODS[method][1]], message.get("params", {}), "params")
        except Invalid as error:
            raise RpcError(INVALID_PARAMS, error.detail) from None

    async def _assistant(self, principal: Principal, name: str) -> tuple[Assistant, Mapping[str, Any]]:
        """An assistant, by its id or the name of its graph, and the schema of its input. Raises RpcError."""
        assistant_id = str(assistant_uuid(name))
        scope = await read_assistant(principal, assistant_id)
        try:
            assistant = await self._assistants.get(scope, assistant_id)
            schema = orjson.loads(await self._assistants.schemas(scope, assistant_id)).get("input_schema")
        except NotFound:
            raise RpcError(INVALID_PARAMS, f"Assistant not found: {name[:100]}") from None
        return assistant, schema or {}

    async def _carried_out(self, agent: Agent, assistant_id: str, message: Mapping[str, Any]) -> Response:
        request_id: RequestId = message["id"]
        params: Mapping[str, Any] = message.get("params", {})
        is_modern, action = METHODS[message["method"]]
        dialect = Dialect(assistant_id, is_modern=is_modern)
        length: int | None = params.get("historyLength")
        match action:
            case "get":
                task = await agent.task(_task_id(params))
                return json_response(result_message(request_id, dialect.task(task.with_last(length))))
            case "cancel":
                task = await agent.cancel(_task_id(params))
                return json_response(result_message(request_id, dialect.task(task)))
            case "list":
                return json_response(result_message(request_id, await _listed(agent, dialect, params)))
            case "subscribe":
                task, run, events = await agent.subscribe(_task_id(params))
                if is_modern and task.status.state not in ("submitted", "working"):
                    await events.close()
                    raise RpcError(UNSUPPORTED, f"The task is {task.status.state}, and has nothing more to tell")
                return EventStream(
                    TaskEvents(request_id, dialect, task, events, lambda: agent.seen(task.task_id, run)), []
                )
        return await self._sent(agent, dialect, message, action)

    async def _sent(self, agent: Agent, dialect: Dialect, message: Mapping[str, Any], action: str) -> Response:
        request_id: RequestId = message["id"]
        given = message["params"]["message"]
        options: Mapping[str, Any] = message["params"].get("configuration") or {}
        if options.get("pushNotificationConfig") or options.get("taskPushNotificationConfig"):
            raise RpcError(PUSH_NOT_SUPPORTED, "Push notifications are not supported; follow the task instead")
        said = read_message(given)
        length: int | None = options.get("historyLength")
        if action == "stream":
            task, run, events = await agent.stream(said, given)
            return EventStream(TaskEvents(request_id, dialect, task, events, lambda: agent.seen(task.task_id, run)), [])
        if options.get("returnImmediately") or options.get("blocking") is False:
            task = await agent.accept(said, given)
            return json_response(result_message(request_id, dialect.sent(task.with_last(length))))
        pending = await agent.send(said, given)

        async def encoded(ended: Awaitable[Task]) -> bytes:
            try:
                return orjson.dumps(result_message(request_id, dialect.sent((await ended).with_last(length))))
            except (Unavailable, EncryptionFailed) as error:
                # Not a status that asks for the message once more: it was taken.
                told = f"The task has ended, but cannot be read at the moment: {pending.task_id}: {error.detail}"
                return orjson.dumps(error_message(request_id, RpcError(INTERNAL_ERROR, told)))
            except RunyardError as error:  # it was deleted meanwhile; the response has begun by now
                return orjson.dumps(error_message(request_id, RpcError(INVALID_PARAMS, error.detail)))

        return JsonWait(Work(encoded(pending.ended())), [])


def _task_id(params: Mapping[str, Any]) -> TaskId:
    return TaskId.parse(params["id"], params.get("contextId"))


async def _listed(agent: Agent, dialect: Dialect, params: Mapping[str, Any]) -> dict[str, Any]:
    size: int = params.get("pageSize") or DEFAULT_PAGE
    offset = int(params.get("pageToken") or 0)
    tasks, more = await agent.listed(params["contextId"], limit=size, offset=offset)
    if wanted := params.get("status"):
        tasks = [task for task in tasks if task.status.state == state_of(wanted)]
    if after := params.get("statusTimestampAfter"):
        tasks = [task for task in tasks if task.status.timestamp > after.replace("Z", "+00:00")]
    written = [dialect.task(task.with_last(params.get("historyLength"))) for task in tasks]
    if not params.get("includeArtifacts"):
        for each in written:
            each.pop("artifacts", None)
    known = offset + len(tasks) + more
    token = str(offset + size) if more else ""
    return {"tasks": written, "nextPageToken": token, "pageSize": size, "totalSize": known}
