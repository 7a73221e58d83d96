"""numpy's scalars and arrays. numpy is imported only where a checkpoint holds some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ormsgpack

from runyard.runtime.checkpoints.serde.forms import NUMPY_ARRAY, UnsavableValue, type_name


def numpy_form(value: Any) -> tuple[Any, bytes]:
    """A scalar: dtype and bytes."""
    return _described(value.dtype), value.tobytes()


def made_scalar(described: Any, data: bytes) -> Any:
    import numpy

    return numpy.frombuffer(data, dtype=_dtype(described))[0]


def array_form(value: Any, named: Callable[[str, Any], Any], pack: Callable[[Any], bytes]) -> Any:
    """An array: LangGraph's form for plain numbers, objects one by one, and other items as bytes."""
    import numpy

    if isinstance(value, numpy.ma.MaskedArray):
        raise UnsavableValue(type_name(type(value)))
    value = numpy.asarray(value)
    if value.dtype.hasobject:
        if value.dtype.kind != "O":
            raise UnsavableValue(f"{type_name(type(value))} of {value.dtype}")
        return named("objects", (value.shape, list(value.flat)))
    if value.dtype.kind in "biufc":
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        return ormsgpack.Ext(NUMPY_ARRAY, pack((value.dtype.str, value.shape, order, value.tobytes(order="A"))))
    return named("array", (_described(value.dtype), value.shape, value.tobytes()))


def made_numbers(described: str, shape: list[int], order: Any, data: bytes) -> Any:
    import numpy

    return numpy.frombuffer(data, dtype=numpy.dtype(described)).reshape(shape, order=order).copy(order="K")


def made_array(described: Any, shape: list[int], data: bytes) -> Any:
    import numpy

    return numpy.frombuffer(data, dtype=_dtype(described)).reshape(shape).copy()


def made_objects(shape: list[int], items: list[Any]) -> Any:
    import numpy

    array = numpy.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        array[index] = item
    return array.reshape(shape)


def _described(dtype: Any) -> Any:
    return dtype.str if dtype.names is None else dtype.descr


def _dtype(described: Any) -> Any:
    import numpy

    if isinstance(described, str):
        return numpy.dtype(described)
    return numpy.dtype([_field(field) for field in described])


def _field(field: list[Any]) -> tuple[Any, ...]:
    name, kind, *shape = field
    return (name, kind if isinstance(kind, str) else _dtype(kind), *(tuple(each) for each in shape))
