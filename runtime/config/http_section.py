"""The `http` of langgraph.json: which operations there are, what browsers may do, which headers runs get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runyard.runtime.config.project import CorsPolicy, HeaderFilter
from runyard.runtime.config.reading import kind, listed, mapping, section, strings, switch
from runyard.runtime.errors import ConfigError

GROUPS: Final = ("assistants", "threads", "runs", "store", "mcp", "a2a", "meta", "ui", "webhooks")
"""What `http.disable_<group>` can take away. Some of it is not there yet; taking that away is no mistake."""


def read_http(file: str, raw: dict[str, Any]) -> tuple[frozenset[str], CorsPolicy, HeaderFilter | None]:
    """The groups of operations that are taken away, what other origins may do, and the headers for runs."""
    place = f"{file}: http"
    http = section(f"{file}: ", raw, "http")
    disabled: set[str] = set()
    for key, value in http.items():
        group = key.removeprefix("disable_")
        if group != key and group in GROUPS:
            if switch(f"{place}.{key}", value):
                disabled.add(group)
        elif key in ("logging_headers", "configurable_headers"):
            _filter(f"{place}.{key}", value)  # request headers are never logged, so there is nothing to leave out
    return (
        frozenset(disabled),
        _cors(f"{place}.cors", section(f"{place}.", http, "cors")),
        _filter(f"{place}.configurable_headers", http.get("configurable_headers")),
    )


def _filter(place: str, value: Any) -> HeaderFilter | None:
    if value is None:
        return None
    given = mapping(place, value)
    patterns: dict[str, tuple[str, ...] | None] = {"includes": None, "excludes": None}
    for key, names in given.items():
        plural = key if key.endswith("s") else f"{key}s"  # both spellings are documented
        if plural not in patterns:
            raise ConfigError(f"{place}.{key} is not known; known are includes, excludes")
        if names is not None:
            patterns[plural] = tuple(name.lower() for name in strings(f"{place}.{key}", names))
    return HeaderFilter(includes=patterns["includes"], excludes=patterns["excludes"] or ())


def _cors(place: str, raw: Mapping[str, Any]) -> CorsPolicy:
    options: dict[str, Any] = {}
    defaults = CorsPolicy()
    for key, value in raw.items():
        at = f"{place}.{key}"
        if key not in CorsPolicy.__dataclass_fields__:
            raise ConfigError(f"{at} is not known; known are {listed(CorsPolicy.__dataclass_fields__)}")
        default = getattr(defaults, key)
        if isinstance(default, tuple):
            if value is None:
                raise ConfigError(f"{at} must be a list of strings")
            options[key] = strings(at, value)
            continue
        expected = str if default is None else type(default)
        if type(value) is not expected and not (default is None and value is None):
            raise ConfigError(f"{at} must be of type {expected.__name__}, not {kind(value)}")
        options[key] = value
    return CorsPolicy(**options)
