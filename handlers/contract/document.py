"""The bundled OpenAPI document, which `scripts/generate` writes."""

from __future__ import annotations

import importlib.resources
from typing import Any

import orjson


def document_bytes() -> bytes:
    """The document as it is served."""
    return importlib.resources.files("runyard.generated").joinpath("openapi.json").read_bytes()


def load_document() -> dict[str, Any]:
    """The document as JSON. Connexion gets this, since it would run a file through a template engine."""
    document: dict[str, Any] = orjson.loads(document_bytes())
    return document
