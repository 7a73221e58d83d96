"""The bundled OpenAPI document, which `scripts/generate` writes."""

from __future__ import annotations

import importlib.resources
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

_META: Final = frozenset(("docs", "guides", "info", "metrics", "openapi.json"))
"""What `http.disable_meta` takes away, by the first segment of the path."""


def document_bytes(disabled: AbstractSet[str] = frozenset()) -> bytes:
    """The document as it is served, without the operations of the `disabled` groups."""
    if disabled:
        return orjson.dumps(load_document(disabled))
    return _bundled()


def load_document(disabled: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """The document as JSON. Connexion gets this, since it would run a file through a template engine."""
    document: dict[str, Any] = orjson.loads(_bundled())
    if disabled:
        paths = {path: item for path, item in document["paths"].items() if not _is_disabled(path, disabled)}
        tags = {tag for item in paths.values() for operation in item.values() for tag in operation.get("tags", ())}
        document["paths"] = paths
        document["tags"] = [tag for tag in document["tags"] if tag["name"] in tags]
    return document


def _bundled() -> bytes:
    return importlib.resources.files("runyard.generated").joinpath("openapi.json").read_bytes()


def _is_disabled(path: str, disabled: AbstractSet[str]) -> bool:
    """Runs belong to `runs` also where they are seen through their threads."""
    first, *others = path.split("/")[1:]
    return first in disabled or ("runs" in disabled and "runs" in others) or ("meta" in disabled and first in _META)
