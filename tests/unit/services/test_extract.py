"""Picking values out of threads."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.generated.models import Thread
from runyard.runtime.errors import Invalid
from runyard.runtime.services.extract import extract, parse_paths

THREAD = Thread(
    thread_id="t",
    created_at="",
    updated_at="",
    state_updated_at="",
    metadata={"owner": "ada", "nested": {"key with space": 1}},
    config={"configurable": {}},
    status="idle",
    values={"messages": [{"content": "hi"}, {"content": "bye"}], "n": 0, "none": None, "grid": [[1, 2], [3, 4]]},
    error=None,
)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("values.messages[-1].content", "bye"),
        ("values.messages[0]", {"content": "hi"}),
        ("values.grid[1][0]", 3),
        ("values.n", 0),
        ("metadata.owner", "ada"),
        ("metadata.nested.key with space", 1),
        ("config", {"configurable": {}}),
        ("values.none", None),
        ("values.none.below", None),
        ("values.messages[2]", None),
        ("values.messages[-3]", None),
        ("values.messages.content", None),
        ("values.n[0]", None),
        ("values[0]", None),
        ("interrupts.x", None),
        ("values..n", None),
        ("values.messages[x]", None),
        ("values.messages[*].content", None),
        ("values.messages[", None),
        ("values.", None),
        ("values.messages[99999999999999999999]", None),
    ],
)
def test_a_path_leads_to_a_value_or_nowhere(path: str, wanted: Any) -> None:
    assert extract(THREAD, parse_paths({"it": path})) == {"it": wanted}


@pytest.mark.parametrize("path", ["", "status", "thread_id", "valuesx.n", ".values", "[0]", "__class__"])
def test_other_parts_of_a_thread_are_refused(path: str) -> None:
    with pytest.raises(Invalid, match="must start with one of: config, interrupts, metadata, values"):
        parse_paths({"it": path})


def test_values_that_are_no_object_can_be_walked_too() -> None:
    thread = Thread(**{name: getattr(THREAD, name) for name in THREAD.__slots__} | {"values": [{"a": 1}]})
    assert extract(thread, parse_paths({"a": "values[0].a", "b": "values[0].b"})) == {"a": 1, "b": None}
