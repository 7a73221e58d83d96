"""Reading path, query and header parameters as the document describes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from runyard.handlers.contract.faults import Checked
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.contract.violations import describe_violations
from runyard.handlers.http.scope import Scope
from runyard.runtime.config.ids import usual_id
from runyard.runtime.errors import Invalid, RunyardError

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
# Python clients send True and 1, JavaScript clients true and 1.
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_CHECKED = {
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "maxItems",
    "pattern",
    "items",
    "anyOf",
    "oneOf",
    "const",
}


def _read_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def _read_boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("neither true nor false") from None


def _read_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _read_switch_or_integer(text: str) -> bool | int:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return _read_integer(text)
    except ValueError:
        raise ValueError("neither true nor false nor a whole number") from None


_READERS: dict[tuple[str, ...], Callable[[str], Any]] = {
    ("integer",): _read_integer,
    ("boolean",): _read_boolean,
    ("number",): _read_number,
    ("boolean", "integer"): _read_switch_or_integer,
}


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas that a value may fit: those of an anyOf or oneOf, else the schema itself."""
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())] or [schema]


class Parameter:
    """One parameter of one operation: where it is, how it is read, and what it must look like.

    `name` is the argument's name for the handler; absent parameters have the default of their schema, or
    None. What the document describes as `content` is JSON. A text that is missing, or cannot be read at all, raises
    `unreadable_error`, one that says something impossible `Invalid`.
    """

    def __init__(
        self,
        definition: Mapping[str, Any],
        components: Mapping[str, Any],
        unreadable_error: type[RunyardError] = Invalid,
    ) -> None:
        self.is_json = "content" in definition
        schema = definition["content"]["application/json"]["schema"] if self.is_json else definition.get("schema", {})
        self.key: str = definition["name"]
        self.place: str = definition["in"]
        self.name = self.key.lower().replace("-", "_")
        self.required: bool = definition.get("required", False)
        self.default = schema.get("default")
        arrays = [each for each in _alternatives(schema) if each.get("type") == "array"]
        self.is_array = bool(arrays)
        self.is_id = self.place == "path" and schema.get("format") == "uuid"
        self.unreadable_error = unreadable_error
        types = tuple(each.get("type", "") for each in _alternatives(arrays[0]["items"] if arrays else schema))
        self.read: Callable[[str], Any] = _READERS.get(types, str)
        checked = self.is_json or bool(_CHECKED & schema.keys()) or "$ref" in schema
        self.schema = Checked(schema, components["schemas"]) if checked else None

    def value(self, texts: list[str]) -> Any:
        """The value of the texts that the request gives; the last one counts where only one may be."""
        root = f"{self.place}.{self.key}"
        try:
            if self.is_json:
                value = parse_json(texts[-1].encode("latin-1" if self.place == "header" else "utf-8"), root)
            else:
                value = [self.read(text) for text in texts] if self.is_array else self.read(texts[-1])
        except ValueError as error:
            raise self.unreadable_error(f'{root}: "{texts[-1][:100]}" is {error}') from None
        if self.schema is not None and not self.schema.is_valid(value):
            raise Invalid(describe_violations(self.schema, value, root))
        return value


class Parameters:
    """All parameters of one operation."""

    def __init__(
        self,
        definitions: Iterable[Mapping[str, Any]],
        components: Mapping[str, Any],
        unreadable_error: type[RunyardError] = Invalid,
    ) -> None:
        every = [Parameter(definition, components, unreadable_error) for definition in definitions]
        self.path = [parameter for parameter in every if parameter.place == "path"]
        self.query = [parameter for parameter in every if parameter.place == "query"]
        self.header = [
            (parameter.key.lower().encode(), parameter) for parameter in every if parameter.place == "header"
        ]
        self.names = [parameter.name for parameter in every]
        self.defaults = {parameter.name: parameter.default for parameter in self.query}
        self.defaults |= {parameter.name: parameter.default for _, parameter in self.header}

    def read(self, scope: Scope) -> dict[str, Any]:
        """The arguments that the request gives. Raises `Invalid` or `unreadable_error` naming the parameter."""
        arguments = dict(self.defaults)
        for parameter in self.path:
            text = scope["path_params"][parameter.name]
            if parameter.is_id and (text := usual_id(text)) is None:
                raise Invalid(f"Invalid {parameter.name.removesuffix('_id')} ID: must be a UUID")
            arguments[parameter.name] = text
        if self.query:
            self._read_query(scope["query_string"], arguments)
        for key, parameter in self.header:
            if texts := [value.decode("latin-1") for name, value in scope["headers"] if name == key]:
                arguments[parameter.name] = parameter.value(texts)
        return arguments

    def asked_in_headers(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the arguments that the request's headers gave."""
        names = [parameter.name for _, parameter in self.header]
        return {
            name: arguments[name] for name in names if arguments.get(name, self.defaults[name]) != self.defaults[name]
        }

    def _read_query(self, query: bytes, arguments: dict[str, Any]) -> None:
        given: dict[str, list[str]] = {}
        if query:
            # Undecodable bytes become replacement characters, which then are not what any parameter may be.
            for key, text in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
                given.setdefault(key, []).append(text)
        for parameter in self.query:
            if parameter.key in given:
                arguments[parameter.name] = parameter.value(given[parameter.key])
            elif parameter.required:
                raise parameter.unreadable_error(f"query.{parameter.key} is required")
