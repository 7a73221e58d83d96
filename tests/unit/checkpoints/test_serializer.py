"""What states hold in the wild comes back from a checkpoint as it was."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import ormsgpack
import pandas as pd
import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from runyard.runtime.checkpoints.serde.forms import UnsavableValue
from runyard.runtime.checkpoints.serde.serializer import StateSerializer, state_serializer
from runyard.runtime.config.project import SerdeSection
from tests.holding_graphs.state_values import ARRAYS, FRAMES, SCALARS, VALUES, Color, Denied, Inner, Model, Outer


def again(value: Any) -> Any:
    serializer = StateSerializer()
    return serializer.loads_typed(serializer.dumps_typed(value))


def types_of(value: Any, levels: int = 20) -> Any:
    if not levels:
        return type(value)
    if isinstance(value, dict):
        return type(value), {key: types_of(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [types_of(item, levels - 1) for item in value]
    return type(value)


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, BaseException):
        return (one.args, str(one)) == (other.args, str(other))
    return bool(one == other)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("where", ["alone", "in a list", "in a set's neighbour", "in a dataclass"])
def test_a_value_comes_back_as_it_was(name: str, where: str) -> None:
    value = VALUES[name]
    match where:
        case "alone":
            found = again(value)
        case "in a list":
            (found,) = again([value])
        case "in a set's neighbour":
            found = again({"v": value, "s": {1}})["v"]
        case _:
            found = again(Outer.Nested(value)).score
    assert is_same(value, found)
    assert types_of(found) == types_of(value)


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_shape_and_dtype_and_can_be_written_to(name: str) -> None:
    value = ARRAYS[name]
    for found in (again(value), again({"a": [value]})["a"][0], again(Outer.Nested(value)).score):
        np.testing.assert_array_equal(found, value)
        assert (found.dtype, found.shape) == (value.dtype, value.shape)
        assert found.flags.writeable


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_comes_back_with_index_and_dtypes(name: str) -> None:
    value = FRAMES[name]
    compare = pd.testing.assert_frame_equal if isinstance(value, pd.DataFrame) else pd.testing.assert_series_equal
    compare(again({"f": value})["f"], value, check_freq=False)


def test_a_frame_keeps_what_was_noted_on_it() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = {"file": "x"}
    assert again(frame).attrs == {"source": {"file": "x"}}


@pytest.mark.parametrize("name", SCALARS)
def test_scalars_of_pandas_come_back(name: str) -> None:
    value = SCALARS[name]
    assert (again(value), type(again(value)), again(value).unit) == (value, type(value), value.unit)


def test_missing_values_of_pandas_come_back() -> None:
    assert again(pd.NaT) is pd.NaT
    assert again([pd.NA]) == [pd.NA]


def test_a_field_that_is_not_given_to_a_class_comes_back_too() -> None:
    inner = Inner(VALUES["datetime"], set())
    inner.made = 7
    assert again(inner).made == 7


class Refusing(Exception):
    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(code)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason} ({self.args[0]})"


def test_an_exception_that_is_more_than_its_arguments_becomes_its_text() -> None:
    error = Refusing(3, reason="tired")
    assert again(error) == repr(error)


@dataclasses.dataclass
class Holding:
    lock: Any


@pytest.mark.parametrize("value", [threading.Lock(), [threading.Lock()], Holding({"a": threading.Lock()})])
def test_what_has_no_form_is_refused_by_its_type(value: Any) -> None:
    with pytest.raises(UnsavableValue, match=r"_thread\.lock"):
        again(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda: 1, id="a function"),
        pytest.param(np.ma.masked_array([1], [True]), id="a masked array"),
        pytest.param(pd.Series(pd.period_range("2024", periods=1)), id="periods"),
        pytest.param(type("Local", (), {}), id="a class without a place"),
        pytest.param(object(), id="an object"),
        pytest.param((item for item in [1]), id="a generator"),
    ],
)
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(UnsavableValue):
        again({"v": value})


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = [2**70]
    value.append(value)
    with pytest.raises(UnsavableValue, match="list"):
        again(value)


def test_values_are_nested_as_deeply_as_every_answer_can_show() -> None:
    value: Any = 2**70
    for _ in range(200):
        value = [value]
    assert again(value) == value
    for _ in range(200):
        value = [value]
    with pytest.raises(UnsavableValue, match="list"):
        again(value)


def test_langgraphs_serializer_reads_what_both_know() -> None:
    both = {"set": {1}, "color": Color.RED, "inner": VALUES["slots"], "array": None, "message": VALUES["message"]}
    assert JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(StateSerializer().dumps_typed(both)) == both
    assert StateSerializer().loads_typed(JsonPlusSerializer().dumps_typed(both)) == both
    array = ARRAYS["Fortran order"]
    np.testing.assert_array_equal(StateSerializer().loads_typed(JsonPlusSerializer().dumps_typed(array)), array)


RAN: list[str] = []


class Acting:
    """Not made to hold data: calling it does something."""

    def __init__(self, text: str) -> None:
        RAN.append(text)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "name", [(__name__, "Acting"), ("subprocess", "Popen"), ("os", "system"), ("builtins", "eval"), ("no.such", "X")]
)
def test_a_checkpoint_cannot_have_anything_called(code: int, name: tuple[str, str]) -> None:
    parts = {1: ("exit 3",), 2: {"text": "exit 3"}}.get(code, "exit 3")
    data = ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb((*name, parts, "__init__"))))
    found = StateSerializer().loads_typed(("msgpack", data))
    assert found == (list(parts) if isinstance(parts, tuple) else parts)
    assert RAN == []


def test_a_named_exception_is_made_without_running_its_code() -> None:
    data = ormsgpack.packb(ormsgpack.Ext(32, ormsgpack.packb(("exception", (__name__, "Refusing", ["x"])))))
    found = StateSerializer().loads_typed(("msgpack", data))
    assert (type(found), found.args) == (Refusing, ("x",))
    data = ormsgpack.packb(ormsgpack.Ext(32, ormsgpack.packb(("exception", (__name__, "Acting", ["x"])))))
    assert StateSerializer().loads_typed(("msgpack", data)) is None


def test_pickles_are_not_read() -> None:
    with pytest.raises(NotImplementedError):
        StateSerializer().loads_typed(("pickle", b"\x80\x04K\x01."))


def test_langgraphs_strict_mode_holds() -> None:
    serializer = StateSerializer(allowed_msgpack_modules=None)
    packed = serializer.dumps_typed([Color.RED, {1}, np.int64(3), Denied("x")])
    found = serializer.loads_typed(packed)
    assert found[:3] == ["red", {1}, 3]
    widened = serializer.with_msgpack_allowlist([Color])
    assert widened.loads_typed(packed)[0] is Color.RED
    assert isinstance(widened, StateSerializer)
    model = VALUES["model"]
    assert isinstance(serializer.loads_typed(serializer.dumps_typed(model)), dict)
    assert serializer.with_msgpack_allowlist([Model]).loads_typed(serializer.dumps_typed(model)).name == "n"


@pytest.mark.parametrize(
    ("classes", "made"),
    [(None, (Color, Model)), ((), (str, dict)), (((Model.__module__, "Model"),), (str, Model))],
)
def test_a_project_says_which_classes_are_made_again(classes: Any, made: tuple[type, type]) -> None:
    serializer = state_serializer(SerdeSection(classes=classes))
    packed = serializer.dumps_typed([Color.RED, VALUES["model"], {1}])
    assert [type(value) for value in serializer.loads_typed(packed)] == [*made, set]


class OwnForm:
    """Of a type that no form stands for; it can be pickled."""

    def __init__(self, held: Any) -> None:
        self.held = held


def test_what_has_no_form_is_pickled_where_a_project_asks_for_it() -> None:
    plain, pickling = state_serializer(SerdeSection()), state_serializer(SerdeSection(pickles=True))
    kind, packed = pickling.dumps_typed({"own": OwnForm(3)})
    assert kind == "pickle"
    assert pickling.loads_typed((kind, packed))["own"].held == 3
    assert pickling.dumps_typed(VALUES["model"])[0] == "msgpack"
    with pytest.raises(UnsavableValue, match="OwnForm"):
        plain.dumps_typed({"own": OwnForm(3)})
    with pytest.raises(NotImplementedError):
        plain.loads_typed((kind, packed))
    with pytest.raises(UnsavableValue, match="lock"):
        pickling.dumps_typed(threading.Lock())


@pytest.mark.parametrize(
    ("classes", "made"),
    [((), False), ((("elsewhere", "Inner"),), False), (((*Inner.__module__.split("."), "Inner"),), True), (True, True)],
)
def test_a_project_says_which_classes_are_made_from_json(classes: Any, made: bool) -> None:
    name = [*Inner.__module__.split("."), "Inner"]
    written = json.dumps({"lc": 2, "type": "constructor", "id": name, "kwargs": {"when": None, "tags": []}}).encode()
    found = state_serializer(SerdeSection(json_classes=classes)).loads_typed(("json", written))
    assert isinstance(found, Inner) == made


def test_neither_numpy_nor_pandas_is_imported_for_plain_values() -> None:
    program = (
        "import sys; from runyard.runtime.checkpoints.saver import RunSaver; s = RunSaver.serde; "
        "s.loads_typed(s.dumps_typed({'a': {1}})); print({'numpy', 'pandas'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout == "set()\n"
