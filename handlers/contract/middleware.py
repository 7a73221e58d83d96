"""Validates every request against the document, and calls the handler that Connexion has bound to the operation.

For each operation, parameters and body are compiled once into validators. This takes the place of Connexion's own
validation, which does not know OpenAPI 3.1. `async def` handlers are called on the event loop, without Flask; plain
functions, the pages, are left to Flask.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_type_hints

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from connexion.operations.abstract import AbstractOperation

from runyard.handlers.contract.authentication import Authentication, ReceivedBody, asks_for_page, to_sign_in
from runyard.handlers.contract.bodies import Body, BodyContract, BodyLimits, ClientDisconnected, Digest
from runyard.handlers.contract.deprecation import Application, announcing
from runyard.handlers.contract.document import is_public
from runyard.handlers.contract.header_selection import run_headers
from runyard.handlers.contract.parameters import Parameters
from runyard.handlers.http.scope import AUTHENTICATED, Header, Message, Receive, Scope, Send
from runyard.runtime.auth.principal import ANONYMOUS, Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.config.project import HeaderFilter
from runyard.runtime.errors import BadRequest, Invalid
from runyard.runtime.services.encryption import HEADER, RequestContexts
from runyard.runtime.services.idempotency import IdempotentRequest

REPLAYED: Final[Header] = (b"idempotency-replayed", b"true")

HEADERS = "configurable_headers"
"""The argument of handlers that make runs: what the project's `http.configurable_headers` selects."""

PRINCIPAL = "principal"
"""The argument of all handlers that act for somebody: who makes the request."""

KEY = "idempotency_key"
ONCE = "once"
"""The parameter of operations that are carried out once for each key, and the argument that handlers get for it."""

ENCRYPTION_CONTEXT: Final = HEADER.lower().encode()

HeaderSelector = Callable[[Iterable[Header]], dict[str, Any]]


class ContractOperation:
    """One operation: its checks and, behind them, its handler."""

    def __init__(
        self,
        next_app: Any,
        function: Callable[..., Any],
        parameters: Parameters,
        body: Body | None,
        select_headers: HeaderSelector | None,
        authentication: Authentication | None,
        encryption: RequestContexts | None,
        *,
        asks: bool,
    ) -> None:
        """`authentication`: None: nobody has to say who they are. `encryption`: None: nothing is encrypted. `asks`:
        whether the handler wants to know who asks."""
        self.next_app = next_app
        self.parameters = parameters
        self.body = body
        self.select_headers = select_headers
        self.authentication = authentication
        self.encryption = encryption if asks else None
        self.asks = asks
        self.idempotent = KEY in parameters.names
        self.handler = function if inspect.iscoroutinefunction(function) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            principal, arguments, raw = await self._received(scope, receive)
        except ClientDisconnected:
            return
        key = arguments.pop(KEY, None)
        digest = None if key is None else _digest(scope, self.parameters.asked_in_headers(arguments))
        if self.body is not None:
            arguments["body"] = await self.body.read(raw, digest)
        del raw
        if self.handler is None:
            await self.next_app(scope, receive, send)
            return
        if self.encryption is not None:
            principal = await self.encryption.of(principal, encryption_header(scope))
        if self.asks:
            arguments[PRINCIPAL] = principal
        if self.select_headers is not None:
            arguments[HEADERS] = self.select_headers(scope["headers"])
        once = None if digest is None else IdempotentRequest(key.strip('"'), digest.digest())
        if self.idempotent:
            arguments[ONCE] = once
        response = await self.handler(**arguments)
        if once is not None and once.replayed:
            send = _replaying(send)
        # Parsed bodies that stay for the length of a stream cost memory, and the garbage collector's time with it.
        del arguments
        await response(scope, receive, send)

    async def _received(self, scope: Scope, receive: Receive) -> tuple[Principal, dict[str, Any], bytes]:
        """Who makes the request, its parameters and its body. Who is not let in learns nothing of what is wrong with
        the rest."""
        if self.authentication is None:
            arguments = self.parameters.read(scope)
            return ANONYMOUS, arguments, b"" if self.body is None else await self.body.receive(scope, receive)
        body = ReceivedBody(self.body, scope, receive)
        if (known := scope.get(AUTHENTICATED)) is not None:
            return known, self.parameters.read(scope), await body.raw()
        try:
            principal = scope[AUTHENTICATED] = await self.authentication.authenticate(scope, body)
        except Refusal as refusal:
            if self.handler is None and refusal.status == 401 and asks_for_page(scope):
                raise to_sign_in(scope) from None
            raise
        return principal, self.parameters.read(scope), await body.raw()


def encryption_header(scope: Scope) -> str | None:
    """What a request says of the context in which its data are encrypted."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == ENCRYPTION_CONTEXT), None)


def _digest(scope: Scope, asked: Mapping[str, Any]) -> Digest:
    """What tells a request from others, without its body: method, path and what is asked for in headers."""
    digest = hashlib.sha256(f"{scope['method']} {scope['path']}\n".encode())
    if asked:
        digest.update(json.dumps(asked, sort_keys=True).encode() + b"\n")
    return digest


def _replaying(send: Send) -> Send:
    """Says of an answer that it was given before."""

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], REPLAYED]}
        await send(message)

    return send_marked


class ContractAPI(RoutedAPI[Application]):
    """All operations of the document."""

    def __init__(
        self,
        *args: Any,
        document: Mapping[str, Any],
        body_limits: BodyLimits,
        select_headers: HeaderSelector,
        authentication: Authentication | None,
        encryption: RequestContexts | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.document = document
        self.authentication = authentication
        self.encryption = encryption
        self.body_limits = body_limits
        self.select_headers = select_headers
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> Application:
        # From the whole document, where references are still references; Connexion has an outline of it.
        components = self.document["components"]
        definition = self.document["paths"][operation.path][operation.method]
        shared = components.get("parameters", {})
        parameters = [
            shared[item["$ref"].rpartition("/")[2]] if "$ref" in item else item
            for item in definition.get("parameters", ())
        ]
        hints = get_type_hints(operation.function)
        body = None
        if "requestBody" in definition:
            schema = definition["requestBody"]["content"]["application/json"]["schema"]
            body = (
                Body(self.body_limits.body)
                if hints["body"] is bytes
                else BodyContract(schema, components["schemas"], hints["body"], self.body_limits)
            )
        # The interface has both: 400 for `limit=x` of the runs of a thread, 422 everywhere else (observed).
        unreadable_error = BadRequest if definition.get("x-runyard-unreadable-status") == 400 else Invalid
        checked = Parameters(parameters, components, unreadable_error)
        select_headers = self.select_headers if HEADERS in hints else None
        contract = ContractOperation(
            self.next_app,
            operation.function,
            checked,
            body,
            select_headers,
            None if is_public(definition) else self.authentication,
            self.encryption,
            asks=PRINCIPAL in hints,
        )
        return announcing(contract, definition)


class ContractMiddleware(RoutedMiddleware[ContractAPI]):
    """Stands where Connexion's request validation would, in front of its context and Flask."""

    api_cls = ContractAPI

    def __init__(
        self,
        app: Any,
        *,
        document: Mapping[str, Any],
        body_limits: BodyLimits,
        configurable_headers: HeaderFilter | None,
        authentication: Authentication | None,
        encryption: RequestContexts | None,
    ) -> None:
        super().__init__(app)
        self.options: dict[str, Any] = {
            "document": document,
            "body_limits": body_limits,
            "select_headers": run_headers(configurable_headers or HeaderFilter(includes=())),
            "authentication": authentication,
            "encryption": encryption,
        }

    def add_api(self, specification: Any, **kwargs: Any) -> ContractAPI:
        return super().add_api(specification, **self.options, **kwargs)
