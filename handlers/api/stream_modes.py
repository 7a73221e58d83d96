"""What of a run a request asks for."""

from __future__ import annotations

from collections.abc import Iterable

from runyard.runtime.errors import Invalid


def modes_of(given: Iterable[str] | None) -> list[str] | None:
    """The stream modes that a request names, by a repeated parameter, by commas or both; None for all."""
    return [mode for text in given or () for mode in text.split(",") if mode] or None


def check_whole(namespace: str | None, checkpoint_id: str | None) -> None:
    """Raises Invalid for a wish to join only a part of a run."""
    if namespace:
        raise Invalid("query.namespace: a run can only be joined as a whole; its stream has the events of subgraphs")
    check_no_checkpoint(checkpoint_id)


def check_no_checkpoint(checkpoint_id: str | None) -> None:
    """Raises Invalid for a wish to follow a run from a checkpoint on."""
    if checkpoint_id:
        raise Invalid("query.checkpoint_id: a run is followed from an event on (Last-Event-ID), not from a checkpoint")
