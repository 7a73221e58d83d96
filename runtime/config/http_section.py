"""The `http` of langgraph.json: which operations there are, what browsers may do, which headers runs get."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from runyard.runtime.config.project import AppSection, CorsPolicy, HeaderFilter
from runyard.runtime.config.reading import kind, listed, mapping, section, strings, switch, text
from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)

GROUPS: Final = ("assistants", "threads", "runs", "store", "mcp", "a2a", "meta", "ui", "webhooks")
"""What `http.disable_<group>` can take away. Some of it is not there yet; taking that away is no mistake."""

_WITH_APP: Final = ("app", "middleware_order", "enable_custom_route_auth")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_ORDERS: Final = ("middleware_first", "auth_first")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSection:
    """All of it; see `Project` for what each says."""

    app: AppSection | None
    mount_prefix: str
    disabled: frozenset[str]
    cors: CorsPolicy
    configurable_headers: HeaderFilter | None
    logging_headers: HeaderFilter | None


def read_http(file: str, raw: dict[str, Any]) -> HttpSection:
    """The section of the file's content `raw`. Raises `ConfigError`."""
    place = f"{file}: http"
    http = section(f"{file}: ", raw, "http")
    disabled: set[str] = set()
    for key, value in http.items():
        group = key.removeprefix("disable_")
        if group != key and group in GROUPS and switch(f"{place}.{key}", value):
            disabled.add(group)
    return HttpSection(
        app=_app(place, http),
        mount_prefix=_mount_prefix(f"{place}.mount_prefix", http.get("mount_prefix")),
        disabled=frozenset(disabled),
        cors=_cors(f"{place}.cors", section(f"{place}.", http, "cors")),
        configurable_headers=_filter(f"{place}.configurable_headers", http.get("configurable_headers")),
        logging_headers=_filter(f"{place}.logging_headers", http.get("logging_headers")),
    )


def _app(place: str, http: Mapping[str, Any]) -> AppSection | None:
    order, auth = http.get("middleware_order"), http.get("enable_custom_route_auth")
    if order is not None and order not in _ORDERS:
        raise ConfigError(f"{place}.middleware_order must be one of {listed(_ORDERS)}")
    if auth is not None:
        switch(f"{place}.enable_custom_route_auth", auth)
    path = http.get("app")
    if path is None:
        for key in _WITH_APP[1:]:
            if http.get(key) is not None:
                logger.warning("%s.%s has no effect: there is no http.app", place, key)
        return None
    target, _, name = text(f"{place}.app", path).rpartition(":")
    if target.lower().endswith((".js", ".ts", ".mjs", ".mts")):
        raise ConfigError(f"{place}.app: applications in JavaScript and TypeScript are not supported")
    if not target or not name.isidentifier():
        raise ConfigError(f'{place}.app: "{path}" must be "./file.py:name" or "package.module:name"')
    return AppSection(path=path, auth_first=order == "auth_first", authenticates=auth)


def _mount_prefix(place: str, value: Any) -> str:
    prefix = "" if value is None else text(place, value).rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ConfigError(f'{place}: "{value}" must be a path of letters, digits and -._~, such as /api')
    return prefix


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
