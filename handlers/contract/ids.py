"""Ids in request bodies, brought into their usual spelling before the body is held against its schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runyard.runtime.config.ids import usual_id

_CHECKPOINT = "CheckpointConfig"
"""The component that addresses a checkpoint; its ids are plain strings in the document."""
_CHECKPOINT_IDS = ("thread_id", "checkpoint_id")


def id_fields(properties: Mapping[str, Any]) -> dict[str, Callable[[Any], Any]]:
    """For each property that holds ids, how they are respelt. What is no id stays, for the schema to refuse."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name, schema in properties.items():
        if _is_id(schema):
            found[name] = _respell
        elif _is_id(schema.get("items", {})):
            found[name] = _respell_each
        elif any(part.get("$ref", "").endswith(f"/{_CHECKPOINT}") for part in (schema, *schema.get("anyOf", ()))):
            found[name] = _respell_address
    return found


def _is_id(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "uuid"


def _respell(value: Any) -> Any:
    return (usual_id(value) or value) if isinstance(value, str) else value


def _respell_each(value: Any) -> Any:
    return [_respell(item) for item in value] if isinstance(value, list) else value


def _respell_address(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _respell(each) if key in _CHECKPOINT_IDS else each for key, each in value.items()}
