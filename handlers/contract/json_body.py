"""Reading JSON request bodies so that no value is ever changed in silence.

JSON allows what Python, SQL databases or other clients cannot keep: integers of any size, NUL characters,
keys that occur twice, any depth. Such a body is refused with the place of the value, instead of being cut
down to what fits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import orjson

from runyard.runtime.errors import Invalid

MAX_DEPTH = 200
"""Levels of nesting. orjson writes 254; the rest is for what the runtime puts around a value."""

_SPARE_LEVELS = 254 - MAX_DEPTH
_SHOWN_STEPS = 16
_SHOWN_CHARACTERS = 100


def parse_json(raw: bytes, root: str = "body") -> Any:
    """The value of a request body, or of what `root` names. Raises `Invalid` with the place of what is wrong."""
    try:
        # Not orjson: it makes floats of integers beyond 64 bits.
        value = msgspec.json.decode(raw)
    except RecursionError:
        raise Invalid(f"{root}: nested deeper than {MAX_DEPTH} levels") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        what = "Invalid JSON in request body" if root == "body" else f"{root}: invalid JSON"
        raise Invalid(f"{what}: {_reason(raw, error)}") from None

    # Writing the value back costs a tenth of what the request costs, and finds nearly all that is not
    # allowed.
    wrapped = value
    for _ in range(_SPARE_LEVELS):
        wrapped = [wrapped]
    try:
        written = orjson.dumps(wrapped)
    except orjson.JSONEncodeError:
        raise Invalid(_find_fault(value, root)) from None
    if b"\\u0000" in written and (fault := _find_fault(value, root)):
        raise Invalid(fault)
    # A key that occurs twice is read once, so two quotation marks are missing. The numbers also differ when
    # the client writes characters as escapes, which is rare, and then the slow look finds nothing.
    if raw.count(b'"') != written.count(b'"') and (fault := _find_duplicate(raw, root)):
        raise Invalid(fault)
    return value


def _reason(raw: bytes, error: Exception) -> str:
    if not raw.strip():
        return "it is empty"
    try:
        orjson.loads(raw)  # only for its description, which names line and column
    except orjson.JSONDecodeError as better:
        return str(better)
    return str(error)


def format_path(path: Sequence[str | int], root: str = "body") -> str:
    """A place within a body, such as `body[3].config.tags`. Of one that is long or deep, the beginning."""
    place = root
    for step in path[:_SHOWN_STEPS]:
        if isinstance(step, int):
            place += f"[{step}]"
        elif step.isidentifier() and len(step) <= _SHOWN_CHARACTERS:
            place += f".{step}"
        else:
            place += f"[{shown_text(step)}]"
    return place if len(path) <= _SHOWN_STEPS else f"{place}..."


def shown_text(text: str) -> str:
    """A text from a request as JSON; of a long one, the beginning."""
    return json.dumps(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


def _walk(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """All values within a value, each with its path. Not more of them is held at once than there are levels."""
    yield (), value
    levels: list[tuple[tuple[str | int, ...], Iterator[tuple[str | int, Any]]]] = [((), _entries(value))]
    while levels:
        above, entries = levels[-1]
        for step, item in entries:
            yield (*above, step), item
            if isinstance(item, (dict, list)):
                levels.append(((*above, step), _entries(item)))
                break
        else:
            levels.pop()


def _entries(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def _find_fault(value: Any, root: str) -> str:
    """Says which value cannot be kept; empty when all can."""
    for path, item in _walk(value):
        if len(path) >= MAX_DEPTH and isinstance(item, (dict, list)):
            return f"{format_path(path, root)}: nested deeper than {MAX_DEPTH} levels"
        if isinstance(item, int) and not -(2**63) <= item < 2**64:
            return f"{format_path(path, root)}: the integer does not fit into 64 bits; send it as a string"
        if isinstance(item, str) and "\0" in item:
            return f"{format_path(path, root)}: NUL characters (\\u0000) cannot be kept"
        if isinstance(item, dict) and any("\0" in key for key in item):
            return f"{format_path(path, root)}: NUL characters (\\u0000) cannot be kept in keys"
    return ""


class _Twice(dict[str, Any]):
    """An object in which the key `twice` occurred more than once."""

    twice = ""


def _build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    marked, seen = _Twice(result), set[str]()
    for key, _ in pairs:
        if key in seen:
            marked.twice = key
        seen.add(key)
    return marked


def _find_duplicate(raw: bytes, root: str) -> str:
    """Says which key occurs twice in one object; empty when none does."""
    for path, item in _walk(json.loads(raw, object_pairs_hook=_build)):
        if isinstance(item, _Twice):
            return f"{format_path(path, root)}: the key {shown_text(item.twice)} occurs more than once"
    return ""
