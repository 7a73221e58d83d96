"""What the processes of a server log, and how: one setup for the API process and for workers.

The handler here belongs to the loggers `runyard` and `uvicorn`. What other code logs (graphs, libraries) reaches it as
long as nobody has configured the root logger: it stands in for Python's handler of last resort. A project that
configures logging gets its own format, and no line twice.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO, cast, get_args

import orjson

from runyard.runtime.errors import ConfigError
from runyard.runtime.graphs.user_errors import bounded
from runyard.runtime.telemetry.tracebacks import format_traceback, is_library

LogFormat = Literal["text", "json"]

OWN = ("runyard", "uvicorn")
"""Loggers that have the handler themselves."""
_COLOURS = {
    "DEBUG": "\x1b[2m",
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
_PLAIN = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class RunFields:
    """The run that the code at hand works for."""

    run_id: str | None = None
    thread_id: str | None = None
    graph_id: str | None = None
    worker: str | None = None


_NO_RUN = RunFields()
_run: ContextVar[RunFields] = ContextVar("runyard_run", default=_NO_RUN)


def log_as_run(fields: RunFields) -> None:
    """From here on, what this task logs, and the tasks and pool threads that it starts, carries these fields."""
    _run.set(fields)


def current_run_id() -> str | None:
    """The run that the code at hand works for; None: it is the server's own."""
    return _run.get().run_id


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`RUNYARD_LOG` and `RUNYARD_LOG_FORMAT`, parsed.

    level: for everything, but for the debugging lines of libraries. loggers: levels that were asked for by name;
    these show debugging lines of libraries too.
    """

    level: int = logging.WARNING
    loggers: dict[str, int] = field(default_factory=dict)
    format: LogFormat = "text"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> LogSettings:
        """`RUNYARD_LOG` is a level, or several: `INFO,httpx=DEBUG`. Raises ConfigError."""
        level, loggers = logging.WARNING, {}
        for item in (environment.get("RUNYARD_LOG") or "WARNING").split(","):
            name, separator, said = item.strip().rpartition("=")
            known = logging.getLevelNamesMapping().get(said.upper())
            if known is None or (separator and not name):
                raise ConfigError(
                    f'RUNYARD_LOG: "{item.strip()}" is not one of: DEBUG, INFO, WARNING, ERROR, nor LOGGER=LEVEL'
                )
            if name:
                loggers[name] = known
            else:
                level = known
        form = environment.get("RUNYARD_LOG_FORMAT") or "text"
        if form not in get_args(LogFormat):
            raise ConfigError(f'RUNYARD_LOG_FORMAT: "{form}" is not one of: {", ".join(get_args(LogFormat))}')
        return cls(level, loggers, cast(LogFormat, form))


def configure_logs(*, worker: str | None = None, project: Mapping[str, str] | None = None) -> None:
    """Sets this process's logging up, to stderr, as its environment says or else the project's `env`.

    `worker`: its name, in a worker process. Raises ConfigError.
    """
    settings = LogSettings.from_environment({**(project or {}), **os.environ})
    handler = LogHandler(settings, worker)
    for name in OWN:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(settings.level)
    logging.lastResort = handler
    logging.getLogger().setLevel(settings.level)
    for name, level in settings.loggers.items():
        logging.getLogger(name).setLevel(level)


def keep_logging() -> None:
    """Undoes what `logging.config` does by default when a project uses it: it switches off all loggers that are not
    named there. For after the import of user code."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.split(".")[0] in OWN:
            logger.disabled = False


class LogHandler(logging.Handler):
    """Writes to whatever stderr is at the moment; drops debugging lines of libraries unless they are asked for."""

    def __init__(self, settings: LogSettings, worker: str | None = None) -> None:
        super().__init__()
        self._asked = tuple(settings.loggers)
        if settings.format == "json":
            self.setFormatter(JsonFormatter(worker))
        else:
            self.setFormatter(TextFormatter(worker, colour=_has_colour(sys.stderr)))

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.INFO and is_library(record.pathname) and not self._is_asked(record.name):
            return
        try:
            _write(f"{self.format(record)}\n")
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - a record's arguments are objects of user code; a log never fails its caller
            self.handleError(record)

    def _is_asked(self, name: str) -> bool:
        return any(name == asked or name.startswith(f"{asked}.") for asked in self._asked)


def _write(entry: str) -> None:
    """In one go: workers share stderr, and an entry that is written in parts may have another one in its middle."""
    try:
        file = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by something that is no file
        sys.stderr.write(entry)
        sys.stderr.flush()
        return
    sys.stderr.flush()
    rest = memoryview(entry.encode(errors="backslashreplace"))
    while rest:
        rest = rest[os.write(file, rest) :]


class TextFormatter(logging.Formatter):
    """One line for people, with the ids of the run at its end, and a traceback below where there is one."""

    def __init__(self, worker: str | None = None, *, colour: bool = False) -> None:
        super().__init__()
        self._worker = worker
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = bounded(record.getMessage())
        time = datetime.datetime.fromtimestamp(record.created).isoformat(" ", "milliseconds")
        fields = _fields(record, self._worker)
        ids = " ".join(
            f"{name}={fields[f'{name}_id']}"
            for name in ("run", "thread", "graph")
            if fields[f"{name}_id"] and str(fields[f"{name}_id"]) not in message
        )
        level, ending = record.levelname, f" [{ids}]" if ids else ""
        if self._colour:
            level = f"{_COLOURS.get(level, '')}{level}{_PLAIN}"
            ending = ending and f"\x1b[2m{ending}{_PLAIN}"
        exception = _exception(record)
        return f"{time} {level} {record.name}: {message}{ending}" + (f"\n{exception}" if exception else "")


class JsonFormatter(logging.Formatter):
    """One JSON object in one line, always with the same keys; null where there is nothing to say."""

    def __init__(self, worker: str | None = None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": bounded(record.getMessage()),
            **_fields(record, self._worker),
            "exception": _exception(record),
        }
        try:
            return orjson.dumps(entry, default=str).decode()
        except TypeError:  # half of a surrogate pair, which UTF-8 cannot hold
            return json.dumps(entry, default=str)


def _fields(record: logging.LogRecord, worker: str | None) -> dict[str, Any]:
    """Of the run that the record names itself (`extra`), or else of the one that is being executed."""
    here, said = _run.get(), record.__dict__
    return {
        "run_id": said.get("run_id", here.run_id),
        "thread_id": said.get("thread_id", here.thread_id),
        "graph_id": said.get("graph_id", here.graph_id),
        "worker": here.worker or worker,
    }


def _exception(record: logging.LogRecord) -> str | None:
    if record.exc_info and record.exc_info[1] is not None:
        return format_traceback(record.exc_info[1])
    return bounded(record.stack_info) if record.stack_info else None


def _has_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
