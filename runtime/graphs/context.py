"""The runtime context of a run: what its client gave, in the form that the graph's context schema asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel


def run_context(schema: type | None, given: Mapping[str, Any] | None) -> Any:
    """The runtime context for a graph whose context schema is `schema`.

    Keys that the schema does not have are dropped: `context` and `configurable` are copies of each other,
    and the latter may hold anything. A class gets its defaults when nothing is given, a TypedDict None.
    """
    given = given or {}
    if schema is None:
        return dict(given) or None
    names, needs_instance = _context_names(schema)
    known = dict(given) if names is None else {key: given[key] for key in given if key in names}
    return known if needs_instance else known or None


def context_instance(schema: type | None, given: Mapping[str, Any] | None) -> Any:
    """As `run_context`, and an instance of `schema` where that is a class: for code that LangGraph does not call.
    Raises what the class raises for values that it does not take."""
    known = run_context(schema, given)
    if schema is not None and (is_dataclass(schema) or (isinstance(schema, type) and issubclass(schema, BaseModel))):
        return schema(**known)
    return known


def _context_names(schema: type) -> tuple[set[str] | None, bool]:
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        if schema.model_config.get("extra") == "allow":
            return None, True
        aliases = {item.alias for item in schema.model_fields.values() if item.alias}
        return {*schema.model_fields, *aliases}, True
    if is_dataclass(schema):
        return {item.name for item in fields(schema) if item.init}, True
    hints = getattr(schema, "__annotations__", None)
    required = getattr(schema, "__required_keys__", None)
    if required is None or hints is None:
        return None, False
    return {*required, *getattr(schema, "__optional_keys__", ())}, False
