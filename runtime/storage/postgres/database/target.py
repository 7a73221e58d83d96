"""Which database, and which schema of it. Only this knows the connection string, which may hold a password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import conninfo

from runyard.runtime.errors import ConfigError

KEPT_ALIVE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""What a connection is made with unless its string says otherwise: one that is not used and swallows all is noticed in
25 seconds. One that is used: see `silence`."""
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PORTS = re.compile(r"[0-9,]*")
NO_ADDRESS = (
    "the database's address is no connection string of Postgres, such as postgresql://user@host/name; in a URL, signs "
    "of a password that mean something there are written as %2F for /, %40 for @, %25 for %"
)


@dataclass(frozen=True, slots=True)
class Target:
    """url: a connection string of libpq, as URL or as `key=value`. schema: where the tables lie; None: where the
    database's own search path leads."""

    url: str = field(repr=False)
    schema: str | None = None

    @classmethod
    def parse(cls, url: str, schema: str | None = None) -> Target:
        """Raises ConfigError, which does not repeat the string."""
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise ConfigError(NO_ADDRESS) from None
        if _is_split(url, given):
            raise ConfigError(NO_ADDRESS)
        if schema is not None and not _SCHEMA.fullmatch(schema):
            raise ConfigError(f"schema {schema!r}: write lower-case letters, digits and underscores, 63 at most")
        merged = {**KEPT_ALIVE, "application_name": "runyard", **given}
        return cls(conninfo.make_conninfo("", **merged), schema)

    def __str__(self) -> str:
        """For people: without user and password."""
        given = conninfo.conninfo_to_dict(self.url)
        place = f"{given.get('host') or 'localhost'}{':' + str(given['port']) if given.get('port') else ''}"
        return f"Postgres at {place}, database {given.get('dbname') or 'of the user'}"


def _is_split(url: str, given: Mapping[str, Any]) -> bool:
    """Whether part of a password became host, port or name, which are shown."""
    if "://" not in url:
        return False
    host, port, name = (str(given.get(part) or "") for part in ("host", "port", "dbname"))
    named = "@" in name and "@" in url.partition("://")[2].partition("/")[2].partition("?")[0]
    return "@" in host or named or _PORTS.fullmatch(port) is None
