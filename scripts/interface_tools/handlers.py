"""From the operations of the document to the types of their handlers: what `generated/handlers.py` says.

An operation names its handler with `x-handler: threads.create`: the method `create` of the object `threads`. It is a
coroutine function, which gets the `principal` too: who makes the request. With `x-impersonal: true` it does not,
since it answers everybody the same; nor does one with `x-page: true`, a plain function, which Flask serves. With
`x-configurable-headers: true` it also gets the request's headers that the project hands on to runs. Its `body` is an
object of the schema's class; of PATCH and PUT, and with `x-body-as-given: true`, the fields that were given; with
`x-runyard-own-errors: true`, the bytes that came. In place of an `Idempotency-Key` it gets `once`: the request as one
that is to be carried out once, or None.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .document import METHODS

_HANDLER = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)")
_IDEMPOTENCY_KEY = "Idempotency-Key"
_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

_HEAD = '''
from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from runyard.generated import models

Principal = TypeVar("Principal", contravariant=True)
"""Who makes a request."""

Once = TypeVar("Once", contravariant=True)
"""A request that is to be carried out once, however often it comes."""

Response = TypeVar("Response", covariant=True)
"""What handlers on the event loop return."""

Page = TypeVar("Page", covariant=True)
"""What plain functions return."""
'''

_TABLE = '''
@dataclass(frozen=True, kw_only=True, slots=True)
class Operations(Generic[Principal, Response, Page]):
    """The handler of each operation, by its operationId."""

    handlers: Mapping[str, Callable[..., Coroutine[Any, Any, Response]]]
    """Those on the event loop."""
    pages: Mapping[str, Callable[..., Page]]
    """Plain functions (`x-page`), for Flask."""
'''


class HandlerError(ValueError):
    """An operation says something about its handler that cannot be. `place` is where, from the document's root on."""

    def __init__(self, path: str, method: str, reason: str, key: str = "x-handler") -> None:
        super().__init__(f"{method.upper()} {path}: {reason}")
        self.place = ("paths", path, method, key)
        self.reason = reason


class Untyped(ValueError):
    """There is no Python type for a schema; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """One operation's handler. `parameters` maps the arguments' names to their types."""

    path: str
    verb: str
    operation_id: str
    owner: str
    method: str
    is_page: bool
    is_impersonal: bool
    parameters: dict[str, str]
    summary: str

    @property
    def operation(self) -> str:
        """Its operation for people, such as `GET /threads`."""
        return f"{self.verb.upper()} {self.path}"

    @property
    def result(self) -> str:
        """The type variable of what it returns."""
        return "Page" if self.is_page else "Response"

    @property
    def variables(self) -> set[str]:
        """The type variables of its signature."""
        asked = {self.result} if self.is_impersonal else {"Principal", self.result}
        return {*asked, "Once"} if "once" in self.parameters else asked


def handlers_module(document: dict[str, Any], header: str) -> str:
    """The module's text behind `header`, its docstring; not formatted yet. Raises `HandlerError`."""
    owners: dict[str, list[Handler]] = {}
    names: dict[str, str] = {}
    for handler in _handlers(document):
        name = f"{handler.owner}.{handler.method}"
        if name in names:
            raise HandlerError(handler.path, handler.verb, f"{names[name]} has the same x-handler, {name}")
        names[name] = handler.operation
        owners.setdefault(handler.owner, []).append(handler)
    protocols = [_protocol(owner, handlers) for owner, handlers in owners.items()]
    return "\n\n".join([header + "\n" + _HEAD, *protocols, _TABLE, _function(owners)])


def _handlers(document: dict[str, Any]) -> Iterator[Handler]:
    components = document["components"]
    for path, item in document["paths"].items():
        for method, definition in item.items():
            if method in METHODS:
                yield _handler(path, method, definition, components)


def _handler(path: str, method: str, definition: dict[str, Any], components: dict[str, Any]) -> Handler:
    named = _HANDLER.fullmatch(str(definition.get("x-handler", "")))
    if named is None or keyword.iskeyword(named[1]) or keyword.iskeyword(named[2]):
        reason = f"x-handler is {definition.get('x-handler')!r}, not of the form threads.create"
        raise HandlerError(path, method, reason)
    if definition.get("x-head") and method != "get":
        raise HandlerError(path, method, "x-head is for GET only", "x-head")
    is_page = definition.get("x-page", False)
    is_impersonal = is_page or definition.get("x-impersonal", False)
    if is_page and "requestBody" in definition:
        raise HandlerError(path, method, "a page cannot have a body", "requestBody")
    try:
        parameters = _parameters(definition, components)
    except Untyped as error:
        raise HandlerError(path, method, str(error), "parameters") from None
    if "requestBody" in definition:
        try:
            parameters["body"] = _body(method, definition, components["schemas"])
        except Untyped as error:
            raise HandlerError(path, method, str(error), "requestBody") from None
    if not is_impersonal:
        parameters["principal"] = "Principal"
    if definition.get("x-configurable-headers"):
        parameters["configurable_headers"] = "Mapping[str, Any]"
    return Handler(
        path=path,
        verb=method,
        operation_id=definition["operationId"],
        owner=named[1],
        method=named[2],
        is_page=is_page,
        is_impersonal=is_impersonal,
        parameters=parameters,
        summary=definition["summary"],
    )


def _parameters(definition: dict[str, Any], components: dict[str, Any]) -> dict[str, str]:
    """The arguments as the contract layer passes them: absent ones are the default of their schema, or None."""
    found: dict[str, str] = {}
    for parameter in definition.get("parameters", ()):
        if "$ref" in parameter:
            parameter = components["parameters"][parameter["$ref"].rpartition("/")[2]]
        if parameter["name"] == _IDEMPOTENCY_KEY:
            found["once"] = "Once | None"
            continue
        # JSON in a header or a query is handed on as it is.
        schema = parameter.get("schema", {"type": "object"})
        name = parameter["name"].lower().replace("-", "_")
        found[name] = python_type(schema, components["schemas"])
        if not parameter.get("required", False) and "default" not in schema:
            found[name] += " | None"
    return found


def _body(method: str, definition: dict[str, Any], schemas: dict[str, Any]) -> str:
    if definition.get("x-runyard-own-errors"):
        return "bytes"  # what is wrong with it is answered in the form of its protocol
    schema = definition["requestBody"]["content"]["application/json"]["schema"]
    if method in ("patch", "put") or definition.get("x-body-as-given"):
        return "dict[str, Any]"  # a class would lose the difference between a field that is absent and one that is null
    if "$ref" not in schema:
        raise Untyped("the schema of the body is not a component, so there is no class for it")
    return python_type(schema, schemas)


def python_type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The type of a value that fits the schema. Raises `Untyped` for a component without a class."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if {"x-document-only", "x-keep-mapping"} & schemas[name].keys():
            raise Untyped(f"there is no class for {name}, which says x-document-only or x-keep-mapping")
        return f"models.{name}"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives is None and isinstance(schema.get("type"), list):
        alternatives = [{**schema, "type": each} for each in schema["type"]]
    if alternatives is not None:
        return " | ".join(dict.fromkeys(python_type(each, schemas) for each in alternatives))
    match schema.get("type"):
        case "array":
            return f"list[{python_type(schema.get('items', {}), schemas)}]"
        case "object":
            return "dict[str, Any]"
        case None:
            return "Any"
        case name if name in _TYPES:
            return _TYPES[name]
        case name:
            raise Untyped(f"{name!r} is no type")


def _class_name(owner: str) -> str:
    return "".join(part.capitalize() for part in owner.split("_"))


def _variables(handlers: list[Handler]) -> str:
    used = set[str]().union(*(handler.variables for handler in handlers))
    return ", ".join(name for name in ("Principal", "Once", "Response", "Page") if name in used)


def _protocol(owner: str, handlers: list[Handler]) -> str:
    lines = [f"class {_class_name(owner)}(Protocol[{_variables(handlers)}]):"]
    lines += [f'    """The handlers that operations name `{owner}.<method>`."""']
    for handler in handlers:
        start = "def" if handler.is_page else "async def"
        arguments = "".join(f", {name}: {type_}" for name, type_ in handler.parameters.items())
        signature = f"self{', *' if arguments else ''}{arguments}"
        lines += [
            "",
            f"    {start} {handler.method}({signature}) -> {handler.result}:",
            f'        """{handler.operation}: {handler.summary}."""',
        ]
    return "\n".join(lines) + "\n"


def _function(owners: dict[str, list[Handler]]) -> str:
    owned = [f"{owner}: {_class_name(owner)}[{_variables(handlers)}]," for owner, handlers in owners.items()]
    entries: dict[bool, list[str]] = {False: [], True: []}
    for handlers in owners.values():
        for handler in handlers:
            entries[handler.is_page].append(f'"{handler.operation_id}": {handler.owner}.{handler.method},')
    return "\n".join(
        [
            "def operations(*,",
            *owned,
            ") -> Operations[Principal, Response, Page]:",
            '    """Each operation with the method that its `x-handler` names."""',
            "    return Operations(",
            *("handlers={", *entries[False], "},"),
            *("pages={", *entries[True], "},"),
            "    )",
            "",
        ]
    )
