"""Which events of a run a request asks for."""

from __future__ import annotations

from collections.abc import Iterable


def modes_of(given: Iterable[str] | None) -> list[str] | None:
    """The stream modes that a request names, by a repeated parameter, by commas or both; None for all."""
    return [mode for text in given or () for mode in text.split(",") if mode] or None
