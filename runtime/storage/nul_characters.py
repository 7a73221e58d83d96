"""NUL characters, which Postgres holds neither in texts nor in JSON that is searched, where they are escaped."""

from __future__ import annotations

import re

from runyard.runtime.storage.port.moving import Kind

REPLACEMENT = "\ufffd"

_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def has_nul(value: object, kind: Kind) -> bool:
    """Whether a value of a column of that kind has one."""
    if not isinstance(value, str):
        return False
    return "\0" in value if kind == "text" else kind == "json" and _IN_JSON.search(value) is not None


def without_nul(value: object, kind: Kind) -> object:
    """The value with U+FFFD in their place."""
    if not isinstance(value, str):
        return value
    if kind == "json":
        return _IN_JSON.sub(rf"\1{REPLACEMENT}", value)
    return value.replace("\0", REPLACEMENT)
