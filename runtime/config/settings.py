"""The settings of one server: from the command line, the environment, or the defaults here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from runyard.runtime.config.addresses import is_loopback
from runyard.runtime.config.environment import joined
from runyard.runtime.config.project import Project
from runyard.runtime.errors import ConfigError

API_KEYS = "RUNYARD_API_KEYS"
Sync = Literal["normal", "full"]
Role = Literal["all", "api", "worker"]

DATABASE_URI: Final = "DATABASE_URI"
"""Where the official image has its database. Projects may use it for one of their own, of whatever kind."""
OWN_FILE: Final = "sqlite"
"""As `database`: the file in the data directory, whatever DATABASE_URI says."""
_URLS: Final = ("postgresql://", "postgres://")

_OF_DATABASES: Final = ("database_direct", "database_schema")
"""Settings that mean nothing without a Postgres."""


def names_postgres(text: str) -> bool:
    """Whether it is a connection string of a Postgres, as URL or as `key=value`."""
    return text.startswith(_URLS) or re.match(r"\s*\w+\s*=", text) is not None


def _default_workers() -> int:
    # Workers are CPU-bound in LangGraph's loop: beyond the cores they only cost memory.
    return min(4, os.cpu_count() or 1)


def _number(default: float | None, *, least: float, most: float, also: str = "") -> Any:
    """`also`: a variable of the official server with the same meaning."""
    return field(default=default, metadata={"least": least, "most": most, "also": also})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to serve `project`. Each field is also read from the environment as RUNYARD_<FIELD>.

    data_dir: where the database and its files lie; with `database`, the sockets and temporary files of this server.
    database: the connection string of a Postgres, a secret, in which everything is then kept; else DATABASE_URI of the
        process, if that names one. None: a file in `data_dir`, as the word "sqlite" says too.
    database_direct: likewise, for what servers tell each other, where `database` leads to a pooler that passes no
        notifications on; None: `database`.
    database_schema: the schema of it in which the tables lie; None: where its search path leads.
    database_connections: that each process makes to it at the most, and five for what must not wait for those.
    database_timeout: seconds that one of its statements may take; then what asked for it is answered with 503.
    role: what this server does of all that servers on one database do. `api` has no workers, `worker` no API.
    port: to listen on; None: on none, as a server without an API does unless it is given one.
    workers: worker processes; 0 runs everything in the API process (debuggers, small tests).
    concurrency: runs at once in one worker process; interactive runs get a few more places.
    allow_unauthenticated: whether an address that others reach may be listened on, though nobody is authenticated.
    api_keys: who has one of them may use the server; each is a key, or `name:key`. They are secrets, as the next.
    api_keys_file: a file with a key on each line; it is read again when it changes.
    auth_timeout: seconds that the project's code gets to say who makes a request; then it is answered with 503.
    encryption_timeout: seconds that each call of the project's code for encryption gets; then what asked for it fails.
    lifespan_timeout: seconds that the lifespan of the project's own application (`http.app`) gets to be ready.
    app_in_workers: whether each worker enters that lifespan too, before it executes runs.
    allow_origin: origins whose pages may use the server, beside those of this machine and of the project's `http.cors`.
    allowed_hosts: names that the server answers to beside those of this machine; others are refused. None named: all
        are answered, but where only this machine reaches it.
    body_limit: bytes of a request body other than a batch; larger ones are answered with 413.
    batch_body_limit: the same for batches.
    batch_limit: the most runs of one batch; larger ones are answered with 422. The document that is served says it.
    header_limit: bytes of a request's line and headers; larger ones are answered with 431.
    receive_timeout: seconds that a request may take to come, large ones longer; then it is answered with 408.
    idle_timeout: seconds after which a connection without a request is closed.
    shutdown_grace: seconds that running runs get at SIGTERM before they go back to the queue.
    lease_seconds: after so many seconds without a sign of life a worker's runs go back to the queue.
    max_attempts: how often a run is started before a dying worker makes it an error.
    sync: SQLite's synchronous mode; "full" also survives a power cut.
    run_timeout: seconds that each attempt at a run may take; then it ends in `timeout`. None: as long as it likes.
    reload: whether changes of the project's code and configuration are served at once, for development.
    result_ttl: seconds for which the outcome of a deleted stateless run can still be joined, and the results of a batch
        are kept after its end, unless the batch itself says.
    result_bytes: bytes of values that the results of batches may have together; the oldest are dropped.
    batch_ttl: seconds for which a batch that has ended is kept, with its counts.
    event_ttl: seconds for which streams still have the events of a resumable run, and the end of any, after its end.
    idempotency_ttl: seconds for which a request with an `Idempotency-Key` that comes again gets its first answer.
    idempotency_bytes: what such keys may take; the oldest are dropped before their time when they take more.
    check_answers: hold every answer against the document; violations are logged and counted.
    strict: whether one graph that cannot be loaded keeps the server from starting.
    """

    project: Project
    data_dir: Path = Path(".runyard")
    database: str | None = field(default=None, repr=False)
    database_direct: str | None = field(default=None, repr=False)
    database_schema: str | None = None
    database_connections: int = _number(8, least=2, most=1000)
    database_timeout: float = _number(10.0, least=0.1, most=3600)
    role: Role = "all"
    host: str = "127.0.0.1"
    port: int | None = _number(8123, least=0, most=65535)
    allow_unauthenticated: bool = False
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    api_keys_file: Path | None = None
    auth_timeout: float = _number(10.0, least=0.1, most=3600)
    encryption_timeout: float = _number(10.0, least=0.1, most=3600)
    lifespan_timeout: float = _number(120.0, least=0.1, most=3600)
    app_in_workers: bool = True
    allow_origin: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    workers: int = field(default_factory=_default_workers, metadata={"least": 0, "most": 256})
    concurrency: int = _number(256, least=1, most=100_000)
    body_limit: int = _number(32 * 2**20, least=1024, most=2**40)
    batch_body_limit: int = _number(128 * 2**20, least=1024, most=2**40)
    batch_limit: int = _number(10_000, least=1, most=10_000_000)
    header_limit: int = _number(65_536, least=1024, most=2**24)
    receive_timeout: float = _number(20.0, least=0.1, most=86_400)
    idle_timeout: int = _number(75, least=1, most=86_400)
    shutdown_grace: float = _number(10.0, least=0, most=86_400)
    lease_seconds: float = _number(30.0, least=1, most=86_400)
    max_attempts: int = _number(3, least=1, most=1000)
    sync: Sync = "normal"
    run_timeout: float | None = _number(None, least=0.001, most=365 * 86_400, also="BG_JOB_TIMEOUT_SECS")
    result_ttl: float = _number(3600.0, least=0, most=365 * 86_400)
    result_bytes: int = _number(2**30, least=0, most=2**50)
    batch_ttl: float = _number(30 * 86_400.0, least=0, most=3650 * 86_400)
    event_ttl: float = _number(7 * 86_400.0, least=0, most=365 * 86_400, also="RESUMABLE_STREAM_TTL_SECONDS")
    idempotency_ttl: float = _number(86_400.0, least=0, most=365 * 86_400)
    idempotency_bytes: int = _number(512 * 2**20, least=0, most=2**40)
    reload: bool = False
    check_answers: bool = False
    strict: bool = False

    @property
    def has_keys(self) -> bool:
        """Whether callers need an API key."""
        return bool(self.api_keys) or self.api_keys_file is not None

    @property
    def authenticates(self) -> bool:
        """Whether callers have to say who they are."""
        return self.has_keys or self.project.auth is not None

    @property
    def worker_processes(self) -> int:
        """How many the server starts."""
        return 0 if self.role == "api" else self.workers

    @property
    def works_here(self) -> bool:
        """Whether runs are executed in the server's own process."""
        return self.role != "api" and self.workers == 0

    def without_keys(self) -> Settings:
        """The settings for processes in which graphs run, which have no use for the keys of the server."""
        return replace(self, api_keys=(), api_keys_file=None)

    @classmethod
    def from_environment(
        cls, project: Project, *, environment: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        """The settings for `project`: `overrides` that are not None, then RUNYARD_* variables, then defaults.

        The variables come from `environment` (default: the process), and from the project's `env` where
        the process has none. Raises `ConfigError` naming the variable or option, its value and the range.
        """
        own = os.environ if environment is None else environment
        environment = joined(project.env, own)
        values: dict[str, Any] = {}
        for item in fields(cls):
            if item.name == "project":
                continue
            variable = f"RUNYARD_{item.name.upper()}"
            if overrides.get(item.name) not in (None, ()):
                place, raw = f"--{item.name.replace('_', '-')}", overrides[item.name]
            elif environment.get(variable):
                place, raw = variable, environment[variable]
            elif item.name == "database" and own.get(DATABASE_URI, "").startswith(_URLS):
                place, raw = DATABASE_URI, own[DATABASE_URI]
            elif environment.get(also := item.metadata.get("also", "")):
                place, raw = also, environment[also]
            else:
                continue
            if item.name in ("database", "database_direct"):
                values[item.name] = _database(place, raw)
            else:
                values[item.name] = _parse(place, raw, str(item.type), item.metadata)
        if unknown := overrides.keys() - {item.name for item in fields(cls)}:
            raise TypeError(f"not a setting: {', '.join(sorted(unknown))}")
        if values.get("role") == "worker":
            values.setdefault("port", None)
        if values.get("database", "") is None:  # by the word for it, which wins over what the environment says
            values = {key: value for key, value in values.items() if key not in _OF_DATABASES or overrides.get(key)}
        settings = cls(project=project, **values)
        settings._check_database()
        if settings.reload and settings.workers == 0:
            raise ConfigError("--reload replaces worker processes, and --workers 0 has none; leave one of them out")
        if API_KEYS in environment and not settings.api_keys:
            raise ConfigError(f"{API_KEYS} names no key; take it away to serve without authentication")
        if settings.has_keys and project.auth is not None:
            raise ConfigError(
                f"{project.path}: auth says who makes a request, and so do API keys ({API_KEYS}, {API_KEYS}_FILE);"
                " leave one of them out"
            )
        if settings.port is not None and not (
            settings.authenticates or settings.allow_unauthenticated or is_loopback(settings.host)
        ):
            raise ConfigError(
                f"--host {settings.host}: others can reach this address, and nobody is authenticated; give API keys"
                f" ({API_KEYS}), name the project's own authentication (auth in langgraph.json), or put a proxy that"
                " authenticates in front and give --allow-unauthenticated (RUNYARD_ALLOW_UNAUTHENTICATED=true), or"
                " listen on 127.0.0.1"
            )
        return settings

    def _check_database(self) -> None:
        if self.database is None and self.database_schema is not None:
            raise ConfigError("--database-schema names a schema of Postgres, and there is no --database")
        if self.database is None and self.database_direct is not None:
            raise ConfigError("RUNYARD_DATABASE_DIRECT goes with a --database, and there is none")
        if self.role == "all":
            return
        if self.database is None:
            raise ConfigError(
                f"--role {self.role}: servers that share the work need a --database that they share"
                " (RUNYARD_DATABASE=postgresql://...); a data directory has one server, which does all"
            )
        if self.reload:
            raise ConfigError(f"--reload is for development, with one server that does all; --role {self.role} is not")


def _database(place: str, raw: str) -> str | None:
    """The connection string; None for the word that says none. What is refused is not repeated: it may hold a
    password."""
    if raw == OWN_FILE:
        return None
    if names_postgres(raw):
        return raw
    raise ConfigError(
        f"{place} is neither the address of a Postgres, such as postgresql://user@host/name, nor the word {OWN_FILE}"
    )


def _parse(place: str, raw: Any, kind: str, limits: Mapping[str, float]) -> Any:
    if kind in ("Path", "Path | None"):
        return Path(raw).expanduser()
    if kind == "Sync":
        return _one_of(place, raw, get_args(Sync))
    if kind == "Role":
        return _one_of(place, raw, get_args(Role))
    if kind == "bool":
        known = {"1": True, "true": True, "0": False, "false": False}
        if str(raw).lower() not in known:
            raise ConfigError(f'{place}: "{raw}" is not one of: {", ".join(known)}')
        return known[str(raw).lower()]
    if kind == "tuple[str, ...]":
        parts = [raw] if isinstance(raw, str) else raw
        return tuple(word for part in parts for word in map(str.strip, part.split(",")) if word)
    if kind in ("str", "str | None"):
        return str(raw)
    whole = kind in ("int", "int | None")
    noun = "whole number" if whole else "number"
    least, most = limits["least"], limits["most"]
    try:
        value = int(raw) if whole else float(raw)
    except (TypeError, ValueError):
        raise ConfigError(f'{place}: "{raw}" is not a {noun} from {least:g} to {most:g}') from None
    if not least <= value <= most:
        raise ConfigError(f"{place}: {raw} is not a {noun} from {least:g} to {most:g}")
    return value


def _one_of(place: str, raw: str, known: tuple[str, ...]) -> Any:
    if raw not in known:
        raise ConfigError(f'{place}: "{raw}" is not one of: {", ".join(known)}')
    return raw
