"""How many tokens a run has used, by what its messages say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from langchain_core.messages import AIMessage

from runyard.runtime.storage.port.queue import Tokens

MOST_MESSAGES: Final = 10_000
"""Messages that are looked at."""


def used_tokens(values: Any, given: Any) -> Tokens | None:
    """The sum of the usage metadata of the messages in lists of the state, without those that the input brought; None
    where there is none."""
    known = {message["id"] for message in _items(given) if isinstance(message, dict) and message.get("id")}
    used = [0, 0, 0]
    for message in islice(_items(values), MOST_MESSAGES):
        if not isinstance(message, AIMessage) or not message.usage_metadata or message.id in known:
            continue
        usage = message.usage_metadata
        details = usage.get("input_token_details") or {}
        for place, count in enumerate(
            (usage.get("input_tokens"), usage.get("output_tokens"), details.get("cache_read"))
        ):
            used[place] += max(0, count) if isinstance(count, int) else 0
    return Tokens(*used) if any(used) else None


def _items(values: Any) -> Iterator[Any]:
    """What is in the lists of a state, or in the one that it is."""
    for value in values.values() if isinstance(values, dict) else (values,):
        if isinstance(value, list):
            yield from value
