"""Turns a document's `x-sdk-name` into what generators name methods after: `operationId`."""

from __future__ import annotations

from typing import Any


def with_sdk_names(document: dict[str, Any]) -> dict[str, Any]:
    """The document with readable operation ids, in links as well."""
    operations = [each for item in document["paths"].values() for each in item.values()]
    names = {each["operationId"]: each["x-sdk-name"] for each in operations}

    def rename(node: Any) -> Any:
        if isinstance(node, list):
            return [rename(each) for each in node]
        if not isinstance(node, dict):
            return node
        return {key: names.get(each, each) if key == "operationId" else rename(each) for key, each in node.items()}

    renamed: dict[str, Any] = rename(document)
    return renamed
