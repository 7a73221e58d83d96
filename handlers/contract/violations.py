"""Describing what a value violates, so that its sender knows where to look and what to write instead.

Whatever the value, a description is short, and making it takes a bounded part of the value into the hand.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

from runyard.handlers.contract.faults import Checked, Fault
from runyard.handlers.contract.json_body import format_path

_SHOWN_FAULTS = 3
_SHOWN_CHARACTERS = 120
_PLAIN = ("type", "minItems", "required")


def describe_violations(schema: Checked, value: Any, root: str) -> str:
    """The first faults of `value`, each with its place, such as `body[3].config.tags`. Empty when there are none."""
    faults = [*islice(schema.faults(value), _SHOWN_FAULTS + 1)]
    if len(faults) == 1 and root == "body" and not faults[0].path and faults[0].keyword in _PLAIN:
        return _describe_body(faults[0])
    shown = "; ".join(f"{format_path(fault.path, root)}: {_message(fault)}" for fault in faults[:_SHOWN_FAULTS])
    return shown + ("; and more" if len(faults) > _SHOWN_FAULTS else "")


def _describe_body(fault: Fault) -> str:
    """A fault of the body as a whole, in the form that the official server gives to it."""
    shown = _shown(fault.value)
    wanted = fault.wanted
    match fault.keyword:
        case "required":
            text = f"{_quoted(wanted)} is a required property"
        case "minItems":
            text = f"{shown} has less than {wanted} item{'' if wanted == 1 else 's'}"
        case _ if isinstance(wanted, str):
            text = f"{shown} is not of type {_quoted(wanted)}"
        case _:
            text = f"{shown} is not of types {', '.join(map(_quoted, wanted))}"
    return f'{text}\n\nFailed validating "{fault.keyword}" in schema\n\nOn instance:\n    {shown}'


def _message(fault: Fault) -> str:
    match fault.keyword:
        case "anyOf" | "oneOf" if fault.wanted:
            wanted = dict.fromkeys(_alternative(faults) for faults in fault.wanted)
            return f"{_shown(fault.value)} is not {' or '.join(wanted)}"
        case "anyOf" | "oneOf" | "not":
            return "these fields do not go together"
        case "required":
            return f"{_quoted(fault.wanted)} is required"
        case "unevaluatedProperties":
            unknown = ", ".join(_quoted(name) for name in fault.wanted[:_SHOWN_FAULTS])
            return f"there are fields that are not known: {unknown}"
        case _:
            return f"{_shown(fault.value)} is not {_wanted(fault)}"


def _alternative(faults: list[Fault]) -> str:
    """What one alternative asks for."""
    missing = [fault.wanted for fault in faults if fault.keyword == "required"]
    if len(missing) == len(faults):
        return f"an object with {' and '.join(map(_quoted, missing))}"
    return " and ".join(dict.fromkeys(map(_wanted, faults)))


def _wanted(fault: Fault) -> str:
    """What the value should have been, to follow "is not"."""
    wanted = fault.wanted
    match fault.keyword:
        case "type":
            return " or ".join(f'of type "{name}"' for name in ([wanted] if isinstance(wanted, str) else wanted))
        case "enum":
            return "one of " + ", ".join(map(_quoted, wanted))
        case "const":
            return _quoted(wanted)
        case "format":
            return f'a "{wanted}"'
        case "minimum":
            return f"at least {wanted}"
        case "maximum":
            return f"at most {wanted}"
        case "minItems":
            return f"long enough: it needs at least {_count(wanted, 'item')}"
        case "maxItems":
            return f"short enough: it may have at most {_count(wanted, 'item')}, and has {len(fault.value)}"
        case "minLength":
            return f"long enough: it needs at least {_count(wanted, 'character')}"
        case "maxLength":
            return f"short enough: it may have at most {_count(wanted, 'character')}"
        case "pattern":
            return f"of the form {wanted}"
        case "maxProperties":
            return f"small enough: it may have at most {wanted} entries, and has {len(fault.value)}"
        case "required":
            return f"an object with {_quoted(wanted)}"
        case keyword:
            return f"valid ({keyword})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _quoted(value: Any) -> str:
    return orjson.dumps(value).decode()


def _shown(value: Any) -> str:
    """The value as JSON, or how that begins."""
    text = _quoted(_beginning(value, [_SHOWN_CHARACTERS + 1]))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _beginning(value: Any, room: list[int]) -> Any:
    """As much of the value as writes at least as many characters as there is room for; `room` shrinks by each part.

    Each part writes a character at least, and what is left out comes after all that is there.
    """
    room[0] -= 1
    if isinstance(value, str):
        return value[: _SHOWN_CHARACTERS + 1]
    if isinstance(value, list):
        items = []
        for item in value:
            if room[0] <= 0:
                break
            items.append(_beginning(item, room))
        return items
    if isinstance(value, dict):
        entries = {}
        for key, item in value.items():
            if room[0] <= 0:
                break
            entries[key[: _SHOWN_CHARACTERS + 1]] = _beginning(item, room)
        return entries
    return value
