"""Who may call: which origins pages may come from, and which names this server answers to.

A browser sends requests of every page that it shows, also to this machine. Without these checks any web page could use
a server that nobody else can reach: by calling it, or by giving its own name this machine's address (DNS rebinding).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from runyard.handlers.http.errors import HttpError
from runyard.runtime.config.addresses import is_loopback
from runyard.runtime.config.project import CorsPolicy
from runyard.runtime.config.settings import Settings

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^\[\]/:@]+)(:[0-9]+)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]/:@]+)(:[0-9]*)?")
_REMEMBERED = 1024


def is_own_origin(origin: bytes, host: bytes | None) -> bool:
    """Whether an origin is that of the server which the request's Host header calls `host`."""
    return host is not None and origin.partition(b"://")[2].lower() == host.lower()


def is_loopback_host(host: bytes) -> bool:
    """Whether a Host header names this machine."""
    parts = _AUTHORITY.fullmatch(host.decode("latin-1"))
    return parts is not None and is_loopback(parts[1])


class Origins:
    """The origins whose pages may use the server: its own, those of this machine, and those that are named."""

    def __init__(self, policy: CorsPolicy, also: Iterable[str] = ()) -> None:
        """`also`: origins beside those of the policy."""
        named = {*policy.allow_origins, *also}
        self.any = "*" in named
        self._named = frozenset(origin.lower().rstrip("/") for origin in named)
        self._pattern = re.compile(policy.allow_origin_regex) if policy.allow_origin_regex else None
        self.allows = lru_cache(_REMEMBERED)(self._allows)

    def _allows(self, origin: bytes, host: bytes | None) -> bool:
        """Whether pages of this origin may use the server that the request's Host header calls `host`."""
        if self.any:
            return True
        text = origin.decode("latin-1")
        if text.lower() in self._named or (self._pattern and self._pattern.fullmatch(text)):
            return True
        parts = _ORIGIN.fullmatch(text)
        return parts is not None and (is_own_origin(origin, host) or is_loopback(parts[1]))

    def check(self, origin: bytes, host: bytes | None) -> None:
        """Raises `HttpError` (403) for an origin that is not allowed."""
        if not self.allows(origin, host):
            shown = origin.decode("latin-1")[:200]
            raise HttpError(
                403,
                f"Pages of the origin {shown} may not use this server; allow it with --allow-origin {shown}, or in"
                " http.cors.allow_origins of langgraph.json",
            )


class Hosts:
    """The names that the server answers to: those of this machine and those that are named; others are refused where
    only this machine is to reach it, and where names are given."""

    def __init__(self, listening: str, named: Iterable[str] = ()) -> None:
        """`listening`: the address that is listened on. `named`: hosts, or "*.example.com" for all below one."""
        names = [name.lower().rstrip(".") for name in named]
        self.checked = "*" not in names and (bool(names) or is_loopback(listening))
        self._names = frozenset(names)
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._allows = lru_cache(_REMEMBERED)(self._is_allowed)

    def _is_allowed(self, host: bytes) -> bool:
        parts = _AUTHORITY.fullmatch(host.decode("latin-1"))
        if parts is None:
            return False
        name = parts[1].lower().rstrip(".")
        return name in self._names or name.endswith(self._suffixes) or is_loopback(name)

    def check(self, host: bytes) -> None:
        """Raises `HttpError` (403) for a Host header with another name."""
        if self.checked and not self._allows(host):
            shown = host.decode("latin-1")[:200]
            raise HttpError(
                403,
                f"This server does not answer to the name {shown!r}; add it to --allowed-hosts (RUNYARD_ALLOWED_HOSTS)"
                " if it is one of its names",
            )


def read_callers(settings: Settings) -> tuple[Origins, Hosts]:
    """What the settings and the project's `http.cors` allow."""
    return Origins(settings.project.cors, settings.allow_origin), Hosts(settings.host, settings.allowed_hosts)
