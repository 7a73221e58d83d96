"""Reading single values of langgraph.json. `place` is the file and the key, for the error that names them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runyard.runtime.errors import ConfigError


def mapping(place: str, value: Any) -> dict[str, Any]:
    """An object; raises `ConfigError` for anything else."""
    if not isinstance(value, dict):
        raise ConfigError(f"{place} must be an object, not {kind(value)}")
    return value


def section(place: str, raw: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`; an empty one when it is absent or null."""
    value = raw.get(key)
    return {} if value is None else mapping(f"{place}{key}", value)


def strings(place: str, value: Any) -> tuple[str, ...]:
    """A list of strings; none when it is null."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{place} must be a list of strings")
    return tuple(value)


def text(place: str, value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{place} must be a string, not {kind(value)}")
    return value


def switch(place: str, value: Any) -> bool:
    """True or false; null is false."""
    if not isinstance(value, bool | None):
        raise ConfigError(f"{place} must be true or false, not {kind(value)}")
    return bool(value)


def whole_number(place: str, value: Any, *, least: int, most: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{place} must be a whole number from {least} to {most}")
    return value


def positive(place: str, value: Any, *, most: float) -> float:
    """A number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ConfigError(f"{place} must be a number above 0, at most {most:g}")
    return float(value)


def kind(value: Any) -> str:
    """What a value is, in a word."""
    return "null" if value is None else type(value).__name__


def listed(words: Iterable[str]) -> str:
    """Words in one line."""
    return ", ".join(words)
