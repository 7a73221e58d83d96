"""An OpenAPI document, and the ways through its references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class UnreadableDocument(Exception):
    """A document cannot be read, or refers to what it does not have. Its text says which and where."""


class Document:
    """A bundled document: all its references are local."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.components: Mapping[str, Any] = content.get("components", {})
        self.version = str(content.get("info", {}).get("version", ""))

    @classmethod
    def read(cls, path: Path) -> Document:
        """The document of a JSON file. Raises `UnreadableDocument`."""
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UnreadableDocument(f"{path}: {error}") from None
        if not isinstance(content, dict) or not isinstance(content.get("paths"), dict):
            raise UnreadableDocument(f"{path} is not an OpenAPI document: it has no paths")
        return cls(content)

    def operations(self) -> dict[str, Mapping[str, Any]]:
        """All operations by method and path, such as `POST /runs`; each has the parameters of its path too."""
        return {f"{method.upper()} {path}": definition for path, method, definition in self._operations()}

    def _operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for path, item in self.content["paths"].items():
            shared = item.get("parameters", ())
            for method in METHODS:
                if method in item:
                    definition = item[method]
                    yield path, method, {**definition, "parameters": [*shared, *definition.get("parameters", ())]}

    def follow(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a node refers to, when it is a reference; what stands beside the reference is kept."""
        steps = 0
        while "$ref" in node:
            steps += 1
            if steps > 50:
                raise UnreadableDocument(f"{node['$ref']} refers to itself")
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**self.target(node["$ref"]), **beside}
        return node

    def target(self, reference: str) -> Mapping[str, Any]:
        """What a local reference names."""
        found: Any = self.content
        for step in reference.removeprefix("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise UnreadableDocument(f"{reference} refers to nothing")
            found = found[name]
        if not isinstance(found, Mapping):
            raise UnreadableDocument(f"{reference} refers to what is not an object")
        return found

    def parameters(self, operation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """An operation's parameters by place and name, such as `query.limit`."""
        found = {}
        for item in operation.get("parameters", ()):
            parameter = self.follow(item)
            name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
            found[f"{parameter['in']}.{name}"] = parameter
        return found


def component_of(schema: Any) -> str | None:
    """The name of the component that a schema refers to, if it does."""
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    if isinstance(reference, str) and reference.startswith("#/components/schemas/"):
        return reference.removeprefix("#/components/schemas/")
    return None
