"""Reading an OpenAPI document."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
Schema = dict[str, Any]
Operation = tuple[str, str, dict[str, Any]]
"""Path, method, definition."""


def parameters_of(definition: dict[str, Any], document: Document) -> list[dict[str, Any]]:
    """The parameters of an operation, those that it refers to included."""
    shared = document["components"]["parameters"]
    return [
        shared[item["$ref"].rpartition("/")[2]] if "$ref" in item else item for item in definition.get("parameters", ())
    ]


def body_of(definition: dict[str, Any]) -> dict[str, Any]:
    """The schema and the examples of an operation's JSON body; empty when it has none."""
    content: dict[str, Any] = definition.get("requestBody", {}).get("content", {}).get("application/json", {})
    return content
