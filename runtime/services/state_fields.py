"""Parts of a state, as a request selects them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runyard.generated.models import ThreadState


def select_state_fields(state: ThreadState, select: Sequence[str] | None) -> ThreadState | dict[str, Any]:
    """The state itself, or a mapping with only the fields named by `select`; `values.x` names one key of the values,
    and is left out where there is no such key."""
    if select is None:
        return state
    part: dict[str, Any] = {}
    for name in select:
        field, _, key = name.partition(".")
        if not key:
            part[field] = getattr(state, field)
        elif "values" not in select:
            values = part.setdefault("values", {})
            if isinstance(state.values, dict) and key in state.values:
                values[key] = state.values[key]
    return part
