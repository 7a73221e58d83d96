"""Validates every request against the document, and calls the handler that Connexion has bound to the operation.

For each operation, parameters and body are compiled once into validators; the body then becomes the generated
dataclass that the handler's `body` argument is annotated with, or, where that is a dict, the fields that were given.
This takes the place of Connexion's own validation, which does not know OpenAPI 3.1. `async def` handlers are called on
the event loop, without Flask; plain functions, the pages, are left to Flask.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, get_origin, get_type_hints

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from connexion.operations.abstract import AbstractOperation

from runyard.handlers.contract.camel_case import read_twins
from runyard.handlers.contract.deprecation import Application, announcing
from runyard.handlers.contract.faults import Checked
from runyard.handlers.contract.header_selection import header_selector
from runyard.handlers.contract.ids import id_fields
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.contract.models import field_picker, model_maker, schema_properties
from runyard.handlers.contract.parameters import Parameters
from runyard.handlers.contract.violations import describe_violations
from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.scope import Header, Receive, Scope, Send
from runyard.runtime.config.project import HeaderFilter
from runyard.runtime.errors import BadRequest, Invalid

HEADERS = "configurable_headers"
"""The argument of handlers that make runs: what the project's `http.configurable_headers` selects."""

HeaderSelector = Callable[[Iterable[Header]], dict[str, str]]


class ClientDisconnected(Exception):
    """The client closed the connection before it had sent its request."""


class BodyContract:
    """What one operation takes as its body, and the class that it becomes."""

    def __init__(self, schema: dict[str, Any], components: dict[str, Any], target: Any, limit: int) -> None:
        self.twins, schema = read_twins(schema, components["schemas"])
        self.schema = Checked(schema, components["schemas"])
        properties = schema_properties(schema, components["schemas"])
        self.ids = id_fields(properties)
        self.make = field_picker(properties) if get_origin(target) is dict else model_maker(target)
        self.limit = limit

    async def read(self, scope: Scope, receive: Receive) -> Any:
        """The request's body. Its content type does not matter: some clients send JSON as text/plain."""
        for name, value in scope["headers"]:
            if name == b"content-encoding" and value.lower() not in (b"identity", b""):
                raise HttpError(415, "Compressed request bodies are not supported; send the body as it is")
        value = parse_json(await self._receive(scope, receive))
        if self.twins is not None and isinstance(value, list):
            for item in value:
                self.twins.complete(item)
        if self.ids and isinstance(value, dict):
            for name in self.ids.keys() & value.keys():
                value[name] = self.ids[name](value[name])
        if not self.schema.is_valid(value):
            raise Invalid(describe_violations(self.schema, value, "body"))
        return self.make(value)

    async def _receive(self, scope: Scope, receive: Receive) -> bytes:
        """All bytes of the body, up to the limit."""
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = declared.isdigit() and int(declared) > self.limit
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            part: bytes = message.get("body", b"")
            size += len(part)
            more = message.get("more_body", False)
            if size > self.limit:
                # What was sent is read to its end, within bounds: a client that is still sending when the
                # connection is closed sees a broken connection instead of the response.
                too_large = True
                parts.clear()
                if size > 4 * self.limit:
                    break
            elif not too_large:
                parts.append(part)
        if too_large:
            raise HttpError(413, f"The body is larger than {self.limit} bytes; the server's body_limit can be raised")
        return parts[0] if len(parts) == 1 else b"".join(parts)


class ContractOperation:
    """One operation: its checks and, behind them, its handler."""

    def __init__(
        self,
        next_app: Any,
        function: Callable[..., Any],
        parameters: Parameters,
        body: BodyContract | None,
        select_headers: HeaderSelector | None,
    ) -> None:
        self.next_app = next_app
        self.parameters = parameters
        self.body = body
        self.select_headers = select_headers
        self.handler = function if inspect.iscoroutinefunction(function) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arguments = self.parameters.read(scope)
        if self.body is not None:
            try:
                arguments["body"] = await self.body.read(scope, receive)
            except ClientDisconnected:
                return
        if self.handler is None:
            await self.next_app(scope, receive, send)
            return
        if self.select_headers is not None:
            arguments[HEADERS] = self.select_headers(scope["headers"])
        response = await self.handler(**arguments)
        # Parsed bodies that stay for the length of a stream cost memory, and the garbage collector's time with it.
        del arguments
        await response(scope, receive, send)


class ContractAPI(RoutedAPI[Application]):
    """All operations of the document."""

    def __init__(self, *args: Any, body_limit: int, select_headers: HeaderSelector, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.body_limit = body_limit
        self.select_headers = select_headers
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> Application:
        # From the raw document, where references are still references; Connexion's copy has them replaced.
        raw = self.specification.raw
        components = raw.get("components", {})
        definition = raw["paths"][operation.path][operation.method]
        shared = components.get("parameters", {})
        parameters = [
            shared[item["$ref"].rpartition("/")[2]] if "$ref" in item else item
            for item in definition.get("parameters", ())
        ]
        hints = get_type_hints(operation.function)
        body = None
        if "requestBody" in definition:
            schema = definition["requestBody"]["content"]["application/json"]["schema"]
            body = BodyContract(schema, {"schemas": components["schemas"]}, hints["body"], self.body_limit)
        # The interface has both: 400 for `limit=x` of the runs of a thread, 422 everywhere else (observed).
        unreadable_error = BadRequest if definition.get("x-runyard-unreadable-status") == 400 else Invalid
        checked = Parameters(parameters, components, unreadable_error)
        select_headers = self.select_headers if HEADERS in hints else None
        contract = ContractOperation(self.next_app, operation.function, checked, body, select_headers)
        return announcing(contract, definition)


class ContractMiddleware(RoutedMiddleware[ContractAPI]):
    """Stands where Connexion's request validation would, in front of its context and Flask."""

    api_cls = ContractAPI

    def __init__(self, app: Any, *, body_limit: int, configurable_headers: HeaderFilter | None) -> None:
        super().__init__(app)
        self.options: dict[str, Any] = {
            "body_limit": body_limit,
            "select_headers": header_selector(configurable_headers or HeaderFilter(includes=())),
        }

    def add_api(self, specification: Any, **kwargs: Any) -> ContractAPI:
        return super().add_api(specification, **self.options, **kwargs)
