"""Arrays as parameters, packed as Postgres reads them: the driver looks at each value by itself, and takes several
times as long."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, ClassVar

import psycopg
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_EMPTY = struct.Struct(">iiI")
_HEAD = struct.Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"


class Packed(bytes):
    """An array in the binary format; `array` and `element` are the numbers of its type and of that of its values."""

    array: ClassVar[int]
    element: ClassVar[int]


class _Texts(Packed):
    array, element = 1009, 25


class _Payloads(Packed):
    array, element = 1001, 17


class _Integers(Packed):
    array, element = 1016, 20


class _Booleans(Packed):
    array, element = 1000, 16


class _Numbers(Packed):
    array, element = 1022, 701


def texts(values: Iterable[str | None]) -> Packed:
    """A text[]. Raises psycopg.DataError for NUL characters."""
    packed = [None if value is None else value.encode() for value in values]
    if any(b"\0" in value for value in packed if value is not None):
        raise psycopg.DataError("texts cannot hold NUL characters")
    return _pack(_Texts, packed)


def payloads(values: Iterable[bytes | None]) -> Packed:
    """A bytea[]."""
    return _pack(_Payloads, list(values))


def integers(values: Iterable[int | None]) -> Packed:
    """A bigint[]."""
    return _pack(_Integers, [None if value is None else value.to_bytes(8, "big", signed=True) for value in values])


def booleans(values: Iterable[bool]) -> Packed:
    """A boolean[]."""
    return _pack(_Booleans, [b"\1" if value else b"\0" for value in values])


def numbers(values: Iterable[float | None]) -> Packed:
    """A double precision[]."""
    return _pack(_Numbers, [None if value is None else struct.pack(">d", value) for value in values])


def register(adapters: AdaptersMap) -> None:
    """Has a connection take them."""
    for kind in (_Texts, _Payloads, _Integers, _Booleans, _Numbers):
        adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_AsItIs,), {"oid": kind.array}))


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


def _pack(kind: type[Packed], values: list[bytes | None]) -> Packed:
    if not values:
        return kind(_EMPTY.pack(0, 0, kind.element))
    parts = [_HEAD.pack(1, None in values, kind.element, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (len(value).to_bytes(4, "big"), value)
    return kind(b"".join(parts))
