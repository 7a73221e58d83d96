"""Events of the thread event protocol: how they are stored, numbered, filtered and written out.

A run that speaks the protocol stores each event under a name of its channel and namespace, with its `params` as data.
The numbers that clients see (`seq`) leave room between those of the log, since the end of a run that does not speak it
is one entry of the log and several events.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

from runyard.runtime.streams.events import Event

PLACES: Final = 100
"""Numbers for clients that each number of a log has."""
_PREFIX: Final = "protocol:"
_INPUT: Final = "input"
_CUSTOM: Final = "custom:"
_PLAIN: Final = frozenset(("values", "updates", "custom", "tasks", "tools"))
_DATA: Final = b',"data":'


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is asked for: events of some channels, in some namespaces and up to `depth` below those.

    channels: as the protocol names them; `custom` has all custom events, `custom:<name>` those of a name.
    namespaces: prefixes. A part without ":" stands for all parts that go on with one. None, or empty: any, whatever
        the depth.
    since: only events with a higher `seq`.
    """

    channels: frozenset[str]
    namespaces: tuple[tuple[str, ...], ...] | None = None
    depth: int | None = None
    since: int = 0

    def wants(self, channel: str, namespace: tuple[str, ...]) -> bool:
        """Whether events of that channel and namespace are asked for."""
        if channel not in self.channels and not (channel.startswith(_CUSTOM) and "custom" in self.channels):
            return False
        if not self.namespaces:
            return True
        return any(self._within(namespace, prefix) for prefix in self.namespaces)

    def _within(self, namespace: tuple[str, ...], prefix: tuple[str, ...]) -> bool:
        below = len(namespace) - len(prefix)
        if below < 0 or (self.depth is not None and below > self.depth):
            return False
        return all(
            part == asked or (":" not in asked and part.partition(":")[0] == asked)
            for part, asked in zip(namespace, prefix, strict=False)
        )


class ProtocolEvent(NamedTuple):
    """An event as clients get it: `frame` is the whole of it as JSON; `seq` and `method` are those in it."""

    seq: int
    method: str
    frame: bytes


@lru_cache(maxsize=1024)
def event_name(channel: str, namespace: tuple[str, ...] = (), event_id: str = "") -> str:
    """The name under which such an event is stored. `event_id`: the one that clients see; "": its number will do."""
    return f"{_PREFIX}{channel}\n{'|'.join(namespace)}\n{event_id}"


def event_params(namespace: tuple[str, ...], timestamp: int, data: bytes, node: str | None = None) -> bytes:
    """The data that is stored: `params` as JSON, `data` last. The time is in milliseconds since 1970."""
    where = orjson.dumps(namespace)
    of_node = b"" if node is None else b',"node":' + orjson.dumps(node)
    return b'{"namespace":%b,"timestamp":%d%b,"data":%b}' % (where, timestamp, of_node, data)


def is_protocol_event(event: Event) -> bool:
    """Whether a stored event is one of the protocol's."""
    return event.name.startswith(_PREFIX)


def address(event: Event) -> tuple[str, tuple[str, ...]]:
    """Channel and namespace of a stored event."""
    name = _parsed(event.name)
    return name.channel, name.namespace


class _Name(NamedTuple):
    """What the name of a stored event says; `method` and `event_id` as they stand in the frame. `event_id` None: the
    number will do."""

    channel: str
    namespace: tuple[str, ...]
    method: bytes
    event_id: bytes | None


@lru_cache(maxsize=4096)  # of the events of a run, most have one of a few names
def _parsed(name: str) -> _Name:
    channel, namespace, event_id = name.removeprefix(_PREFIX).rsplit("\n", 2)
    method = "input.requested" if channel == _INPUT else channel.partition(":")[0]
    parts = tuple(namespace.split("|")) if namespace else ()
    return _Name(channel, parts, method.encode(), orjson.dumps(event_id) if event_id else None)


def plain_event(event: Event) -> Event | None:
    """A stored event as streams of runs and threads show it that do not speak the protocol; None when they have no such
    event. One that is not of the protocol stays as it is."""
    if not is_protocol_event(event):
        return event
    channel, namespace, event_id = event.name.removeprefix(_PREFIX).rsplit("\n", 2)
    name = channel.partition(":")[0]
    if name == "lifecycle" and not namespace:
        data = orjson.dumps({"run_id": event_id.split(":")[1], "attempt": 1})
        return Event("metadata", data, event.id, event.number)
    if name not in _PLAIN:
        return None
    data = event.data[event.data.index(_DATA) + len(_DATA) : -1]
    if name == "custom":
        data = orjson.dumps(orjson.loads(data)["payload"])
    elif name == "updates":
        update = orjson.loads(data)
        data = orjson.dumps({update["node"]: update["values"]})
    return Event(f"{name}|{namespace}" if namespace else name, data, event.id, event.number)


def entry_event(number: int, place: int, name: str, params: bytes) -> Event:
    """One of several events that an entry of the log stands for."""
    return Event(name, params, str(number * PLACES + min(place, PLACES - 1)), number)


def seq_of(event: Event) -> int:
    """The number that clients see."""
    number = event.id or ""
    return event.number * PLACES if number.endswith("-0") else int(number)


def protocol_event(event: Event) -> ProtocolEvent:
    """A stored event as clients get it."""
    name, seq = _parsed(event.name), seq_of(event)
    event_id = b'"%d"' % seq if name.event_id is None else name.event_id
    frame = b'{"type":"event","event_id":%b,"seq":%d,"method":"%b","params":%b}'
    return ProtocolEvent(seq, name.method.decode(), frame % (event_id, seq, name.method, event.data))
