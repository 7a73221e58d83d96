"""The tokens of a run, by the usage metadata of its messages."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from runyard.runtime.execution import tokens
from runyard.runtime.execution.tokens import used_tokens
from runyard.runtime.storage.port.queue import Tokens


def said(read: int, wrote: int, cached: int | None = None, **fields: Any) -> AIMessage:
    usage: Any = {"input_tokens": read, "output_tokens": wrote, "total_tokens": read + wrote}
    if cached is not None:
        usage["input_token_details"] = {"cache_read": cached}
    return AIMessage("", usage_metadata=usage, **fields)


def test_all_messages_of_the_state_count() -> None:
    values = {"messages": [HumanMessage("q"), said(10, 2, 4), said(5, 1)], "other": [said(100, 20, 40)], "n": 5}
    assert used_tokens(values, {"messages": [{"role": "user", "content": "q"}]}) == Tokens(115, 23, 44)


def test_a_state_may_be_a_list_of_messages() -> None:
    assert used_tokens([said(1, 2)], None) == Tokens(1, 2, 0)


def test_messages_of_the_input_do_not_count() -> None:
    values = {"messages": [said(10, 2, id="old"), said(5, 1, id="new")]}
    assert used_tokens(values, {"messages": [{"id": "old", "type": "ai", "content": ""}]}) == Tokens(5, 1, 0)


@pytest.mark.parametrize("values", [None, "text", {}, {"messages": []}, {"messages": [AIMessage("x"), 5, None]}])
def test_where_no_message_says_anything_nothing_is_known(values: Any) -> None:
    assert used_tokens(values, values) is None


def test_odd_usage_metadata_do_no_harm() -> None:
    odd = AIMessage("x")
    usage: Any = {"input_tokens": "3", "output_tokens": -5, "input_token_details": None}
    odd.usage_metadata = usage
    assert used_tokens({"messages": [odd, said(1, 1)]}, None) == Tokens(1, 1, 0)


def test_no_more_messages_are_looked_at_than_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_MESSAGES", 2)
    assert used_tokens({"messages": [said(1, 1)] * 5}, None) == Tokens(2, 2, 0)
