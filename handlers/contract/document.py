"""The bundled OpenAPI document, which `scripts/generate` writes."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

BATCH: Final = "RunBatchCreate"
"""The component that a batch has to fit."""

_OF_RUNS: Final = frozenset(("runs", "commands", "events"))
"""Segments of paths below threads that are about their runs."""
_META: Final = frozenset(("docs", "guides", "info", "metrics", "openapi.json", "sign-in"))
"""What `http.disable_meta` takes away, by the first segment of the path."""


def load_document(disabled: AbstractSet[str] = frozenset(), *, batch_limit: int | None = None) -> dict[str, Any]:
    """The document as JSON, without the operations of the `disabled` groups, and with the limits that hold.

    Connexion gets this, since it would run a file through a template engine. `batch_limit`: runs of one batch; None:
    the default.
    """
    bundled = importlib.resources.files("runyard.generated").joinpath("openapi.json").read_bytes()
    document: dict[str, Any] = orjson.loads(bundled)
    if batch_limit is not None:
        document["components"]["schemas"][BATCH]["maxItems"] = batch_limit
    if disabled:
        paths = {path: item for path, item in document["paths"].items() if not _is_disabled(path, disabled)}
        tags = {tag for item in paths.values() for operation in item.values() for tag in operation.get("tags", ())}
        document["paths"] = paths
        document["tags"] = [tag for tag in document["tags"] if tag["name"] in tags]
    return document


def is_public(operation: Mapping[str, Any]) -> bool:
    """Whether an operation answers whoever asks, also where others have to say who they are."""
    return operation.get("security") == []


def _is_disabled(path: str, disabled: AbstractSet[str]) -> bool:
    """Runs belong to `runs` also where they are seen through their threads, and so do batches; agent cards belong to
    `a2a`."""
    first, *others = path.split("/")[1:]
    first = "a2a" if first == ".well-known" else first
    return (
        first in disabled
        or ("runs" in disabled and (first == "batches" or not _OF_RUNS.isdisjoint(others)))
        or ("meta" in disabled and first in _META)
    )
