"""The parts of pydantic's models and numpy's times that JSON is made from."""

from __future__ import annotations

import sys
from collections.abc import Set
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

_PLAIN = (str, int, float, bool, type(None))


def model_fields(model: BaseModel) -> Any:
    """The fields of a model. What its own serializers make of them holds; what pydantic would write in its standard
    way is left as it is, to get the form that it has outside of models."""
    try:
        plain = model.model_dump(serialize_as_any=True, warnings=False)
    except Exception:  # noqa: BLE001 - a field's own code fails: take the fields as they are
        return {**dict(model), **(model.model_extra or {})}
    written = _written(model)
    if written is not None or not isinstance(plain, dict):
        return _joined(plain, written)
    # One field that pydantic cannot write as JSON must not cost the others what their serializers make of them.
    return {name: _joined(item, (_written(model, name) or {}).get(name, item)) for name, item in plain.items()}


def _written(model: BaseModel, *names: str) -> Any:
    """What pydantic writes as JSON, of the fields that are named or of all; None when it cannot."""
    try:
        include = set(names) or None
        return model.model_dump(mode="json", serialize_as_any=True, warnings=False, include=include)
    except Exception:  # noqa: BLE001 - a value that pydantic does not know
        return None


def _joined(plain: Any, written: Any) -> Any:
    """`plain`, with what was written otherwise than in pydantic's standard way."""
    kind = type(plain)
    if kind in _PLAIN and kind is type(written):
        return written
    if isinstance(plain, dict) and isinstance(written, dict) and len(plain) == len(written):
        return {key: _joined(item, other) for (key, item), other in zip(plain.items(), written.values(), strict=True)}
    if isinstance(plain, list | tuple) and isinstance(written, list) and len(plain) == len(written):
        return [_joined(item, other) for item, other in zip(plain, written, strict=True)]
    if isinstance(plain, Set) and isinstance(written, list):
        return list(plain)
    return plain if _standard(plain) == written else written


def _standard(value: Any) -> Any:
    try:
        return to_jsonable_python(value)
    except Exception:  # noqa: BLE001 - nothing that pydantic knows: then a serializer has written it
        return Ellipsis


def numpy_times(value: Any) -> Any:
    """numpy's times as ISO 8601 texts, its durations as seconds."""
    numpy = sys.modules["numpy"]
    if value.dtype.kind == "m":
        return (value / numpy.timedelta64(1, "s")).tolist()
    return _texts(value.astype(str).tolist())


def _texts(found: Any) -> Any:
    if isinstance(found, list):
        return [_texts(item) for item in found]
    return None if found == "NaT" else found
