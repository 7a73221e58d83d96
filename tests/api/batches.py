"""Payloads of batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def batch_payload(graph: str, inputs: Iterable[Any], **options: Any) -> list[Any]:
    """One item for each input. The client's type of an item has less than may be sent, and requires more."""
    return [{"assistant_id": graph, "input": given, **options} for given in inputs]
