"""Values that states hold in the wild, by name."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import pathlib
import re
import uuid
import zoneinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pydantic.dataclasses
import pydantic.v1
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, Field, SecretStr


class Color(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Point(NamedTuple):
    x: int
    y: float


@dataclasses.dataclass
class Inner:
    when: dt.datetime
    tags: set[str]
    made: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    a: int
    b: bytes = b"\x00\xff"


class Outer:
    @dataclasses.dataclass
    class Nested:
        score: Any


class Model(BaseModel):
    name: str = Field(alias="Name")
    when: dt.datetime
    amount: decimal.Decimal
    secret: SecretStr
    took: dt.timedelta
    data: bytes
    nested: dict[str, Any] = {}
    model_config = {"populate_by_name": True}


class OldModel(pydantic.v1.BaseModel):
    a: int
    when: dt.date


@pydantic.dataclasses.dataclass
class Checked:
    a: int
    d: dt.date


class MyDatetime(dt.datetime):
    pass


class MyDate(dt.date):
    pass


class MyUUID(uuid.UUID):
    pass


class Denied(Exception):
    pass


U = uuid.UUID("12345678-1234-5678-1234-567812345678")
WHEN = dt.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=dt.UTC)
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


VALUES: dict[str, Any] = {
    "big": [2**70, -(2**63) - 1, {"n": 2**64}],
    "u64": 2**64 - 1,
    "set": {1},
    "frozenset": frozenset([2]),
    "set of tuples": {(1, (2, 3))},
    "deque": collections.deque([1, 2]),
    "bounded deque": collections.deque([1, 2], maxlen=3),
    "datetime": WHEN,
    "naive datetime": dt.datetime(2024, 1, 2, 3, 4, 5),
    "zoned datetime": dt.datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=1),
    "datetime's subclass": MyDatetime(2024, 1, 2, tzinfo=dt.UTC),
    "date": dt.date(2024, 2, 29),
    "date's subclass": MyDate(2024, 1, 2),
    "time": dt.time(1, 2, 3, tzinfo=dt.UTC),
    "timedelta": dt.timedelta(days=-1, milliseconds=5),
    "timezone": dt.timezone(dt.timedelta(hours=2)),
    "zone": PARIS,
    "uuid": U,
    "uuid's subclass": MyUUID(str(U)),
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(2**80, 3),
    "complex": 1 + 2j,
    "range": range(10, 0, -3),
    "bytes": b"\x00\x01\xfe",
    "enumerations": [Color.RED, Color.PAIR, Level.LOW, Mode.FAST],
    "paths": [pathlib.PurePosixPath("/tmp/x y"), pathlib.PosixPath("/tmp"), pathlib.PureWindowsPath("c:/a")],
    "addresses": [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_address("::1")],
    "pattern": re.compile("a+", re.I),
    "named tuple": Point(1, 2.5),
    "dataclass": Inner(WHEN, {"x"}),
    "slots": Slotted(1),
    "nested class": Outer.Nested(np.float32(0.5)),
    "model": Model(
        Name="n",
        when=WHEN,
        amount=decimal.Decimal("2.50"),
        secret=SecretStr("hush"),
        took=dt.timedelta(seconds=90),
        data=b"ab",
        nested={"u": U, "s": {3}, "n": np.int64(3), "d": MyDatetime(2024, 1, 2)},
    ),
    "old model": OldModel(a=1, when=dt.date(2024, 1, 1)),
    "checked dataclass": Checked(1, dt.date(2024, 1, 1)),
    "exceptions": [ValueError("bad", 3), Denied("no"), KeyError("k")],
    "classes": [Model, Color, Outer.Nested, int, dt.datetime],
    "message": AIMessage("hi", id="m"),
    "document": Document("page", metadata={"when": WHEN}),
    "send": Send("node", {"p": pathlib.PurePosixPath("a")}),
    "interrupt": Interrupt(value={"n": np.int64(1)}, id="i"),
    "numpy scalars": [
        np.int64(5),
        np.float32(0.5),
        np.float64(0.25),
        np.bool_(True),
        np.complex128(1 + 2j),
        np.datetime64("2024-01-02"),
        np.datetime64("2024-01-02T03:04:05.000000006"),
        np.timedelta64(90, "s"),
    ],
}
"""Each is equal to itself after a checkpoint."""

ARRAYS: dict[str, Any] = {
    "integers": np.arange(4).reshape(2, 2),
    "Fortran order": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "a view": np.arange(10)[::2],
    "no items": np.array([]),
    "no dimension": np.array(3),
    "NaN": np.array([1.0, float("nan")]),
    "truth": np.array([True, False]),
    "text": np.array(["a", "bcd"]),
    "byte strings": np.array([b"a", b"bcd"]),
    "times": np.array(["2024-01-02", "NaT"], dtype="datetime64[s]"),
    "durations": np.array([1, 2], dtype="timedelta64[ms]"),
    "objects": np.array([[{"a": 1}, None], [U, 2**70]], dtype=object),
    "fields": np.array([(1, 2.0, [3, 4])], dtype=[("a", "i4"), ("b", "f8"), ("c", "u1", (2,))]),
}
_INDEX = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["letter", "number"])
FRAMES: dict[str, Any] = {
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, float("nan")]}),
    "many types": pd.DataFrame(
        {
            "when": pd.to_datetime(["2024-01-01", None]),
            "zoned": pd.to_datetime(["2024-01-01", "2024-07-01"]).tz_localize("Europe/Paris"),
            "took": pd.to_timedelta(["1h", "2s"]),
            "whole": pd.array([1, None], dtype="Int64"),
            "truth": pd.array([True, None], dtype="boolean"),
            "text": pd.array(["x", None], dtype="string"),
            "kind": pd.Categorical(["b", "a"], categories=["a", "b", "c"], ordered=True),
            "objects": [{"a": 1}, [U]],
        },
        index=_INDEX,
    ),
    "columns of the same name": pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="int64")}),
    "nothing": pd.DataFrame(),
    "levels of columns": pd.DataFrame([[1, 2]], columns=_INDEX),
    "dated": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, name="day")),
    "series": pd.Series([1.5, 2.5], name="s"),
    "named by a tuple": pd.Series(["x", "y"], index=["a", "b"], name=("s", 1)),
}
SCALARS: dict[str, Any] = {
    "timestamp": pd.Timestamp("2024-01-02T03:04:05.000000006Z"),
    "zoned timestamp": pd.Timestamp("2024-07-01", tz="Europe/Paris"),
    "duration": pd.Timedelta("1h"),
}
