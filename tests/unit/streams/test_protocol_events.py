"""Events of the thread event protocol: who wants them, and how they are written out."""

from __future__ import annotations

import json

import pytest

from runyard.runtime.streams.events import stored_event
from runyard.runtime.streams.protocol_events import (
    EventFilter,
    ProtocolEvent,
    address,
    entry_event,
    event_name,
    event_params,
    plain_event,
    protocol_event,
)

CHILD, TWIN, GRANDCHILD = ("child:1",), ("child:2",), ("child:1", "deep:3")


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, {(), CHILD, TWIN, GRANDCHILD}),
        ({"namespaces": ()}, {(), CHILD, TWIN, GRANDCHILD}),
        ({"namespaces": (), "depth": 0}, {(), CHILD, TWIN, GRANDCHILD}),
        ({"namespaces": ((),)}, {(), CHILD, TWIN, GRANDCHILD}),
        ({"namespaces": ((),), "depth": 0}, {()}),
        ({"namespaces": ((),), "depth": 1}, {(), CHILD, TWIN}),
        ({"namespaces": (CHILD,)}, {CHILD, GRANDCHILD}),
        ({"namespaces": (CHILD,), "depth": 0}, {CHILD}),
        ({"namespaces": (("child",),)}, {CHILD, TWIN, GRANDCHILD}),
        ({"namespaces": (("chi",),)}, set()),
        ({"namespaces": (("child:",),)}, set()),
        ({"namespaces": (TWIN, GRANDCHILD)}, {TWIN, GRANDCHILD}),
    ],
)
def test_namespaces_are_prefixes(asked: dict[str, object], wanted: set[tuple[str, ...]]) -> None:
    asks = EventFilter(frozenset({"values"}), **asked)  # type: ignore[arg-type]
    assert {namespace for namespace in ((), CHILD, TWIN, GRANDCHILD) if asks.wants("values", namespace)} == wanted


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [
        ({"values", "input"}, {"values", "input"}),
        ({"custom"}, {"custom", "custom:a", "custom:b"}),
        ({"custom:a"}, {"custom:a"}),
        (set(), set()),
    ],
)
def test_a_channel_of_custom_events_has_all_or_those_of_a_name(channels: set[str], wanted: set[str]) -> None:
    asks = EventFilter(frozenset(channels))
    known = ("values", "input", "custom", "custom:a", "custom:b")
    assert {channel for channel in known if asks.wants(channel, ())} == wanted


def written(event: ProtocolEvent) -> dict[str, object]:
    said: dict[str, object] = json.loads(event.frame)
    assert (said["seq"], said["method"]) == (event.seq, event.method)
    return said


def test_a_stored_event_is_written_out_with_its_number() -> None:
    params = event_params(CHILD, 5, b'{"a":1}', "a node")
    event = stored_event(7, event_name("messages", CHILD), params)
    assert address(event) == ("messages", CHILD)
    assert written(protocol_event(event)) == {
        "type": "event",
        "event_id": "700",
        "seq": 700,
        "method": "messages",
        "params": {"namespace": ["child:1"], "timestamp": 5, "node": "a node", "data": {"a": 1}},
    }


def test_an_event_id_of_its_own_is_kept() -> None:
    event = stored_event(1, event_name("input", (), "synth:run:input||x"), event_params((), 5, b"{}"))
    said = written(protocol_event(event))
    assert (said["event_id"], said["method"]) == ("synth:run:input||x", "input.requested")


def test_a_named_custom_event_keeps_whatever_name_it_has() -> None:
    event = stored_event(1, event_name("custom:a\nb:c|d", CHILD), event_params(CHILD, 5, b"{}"))
    assert address(event) == ("custom:a\nb:c|d", CHILD)
    assert written(protocol_event(event))["method"] == "custom"


def test_the_events_of_one_entry_have_numbers_of_their_own_below_the_next_entry() -> None:
    name, params = event_name("input"), event_params((), 5, b"{}")
    numbers = [protocol_event(entry_event(3, place, name, params)).seq for place in range(500)]
    assert numbers[:3] == [300, 301, 302]
    assert numbers == sorted(numbers)
    assert numbers[-1] < protocol_event(stored_event(4, name, params)).seq


def test_other_streams_get_the_data_alone() -> None:
    tricky = event_params(('a,"data":1',), 5, b'{"data":{"data":2}}', ',"data":3')
    plain = plain_event(stored_event(1, event_name("values", ('a,"data":1',)), tricky))
    assert plain is not None
    assert (plain.name, json.loads(plain.data)) == ('values|a,"data":1', {"data": {"data": 2}})
    assert plain_event(stored_event(1, event_name("messages"), event_params((), 5, b"{}"))) is None
