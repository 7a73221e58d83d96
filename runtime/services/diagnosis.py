"""What a start would meet: the checks behind `runyard doctor`. Nothing is served, written or changed by them."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from runyard.runtime.auth.api_keys import ApiKeys
from runyard.runtime.config import dependencies
from runyard.runtime.config.environment import joined
from runyard.runtime.config.langgraph_json import env_file, load_project
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.services.findings import Diagnosis
from runyard.runtime.services.probing import Probe, probe_project
from runyard.runtime.services.storage_diagnosis import look_at_index, look_at_storage
from runyard.runtime.telemetry.trace_export import read_trace_export
from runyard.runtime.ui.bundler import Bundler
from runyard.runtime.ui.processes import BuildFailed

_CONFIG_LOGGER = dependencies.__name__.rpartition(".")[0]


async def diagnose(config: Path, *, timeout: float, **options: Any) -> Diagnosis:
    """Looks at the project of the configuration file `config`, as a start with `options` (see `Settings`) would.

    timeout: seconds that each graph gets to be loaded.
    """
    found = Diagnosis()
    _versions(found)
    try:
        with _warnings() as warnings:
            project = load_project(config)
    except ConfigError as error:
        _say_warnings(found, warnings)
        found.add("config", "unusable", error.detail)
        return found
    found.add("config", "ok", f"{project.path} names {', '.join(project.graphs)}")
    _say_warnings(found, warnings)
    _keys(found, project)
    _env(found, project)
    try:
        found.settings = Settings.from_environment(project, **options)
    except ConfigError as error:
        found.add("settings", "unusable", error.detail)
        return found
    auth_error = None
    for probe in await probe_project(project, timeout=timeout):
        if probe.what == "auth":
            auth_error = probe.error
        elif probe.what == "app":
            _application(found, project, probe.error)
        elif probe.what == "embeddings":
            look_at_index(found, found.settings, probe.error)
        elif probe.what == "encryption":
            _encryption(found, project, probe)
        elif probe.error is None:
            made = ", made anew for each run" if probe.kind == "factory" else ""
            found.add("graph", "ok", f"{probe.name} loads{made}")
        else:
            found.add("graph", "problem", f"{probe.name} does not load: {probe.error}")
    _authentication(found, found.settings, auth_error)
    look_at_storage(found, found.settings)
    _components(found, found.settings)
    _traces(found, project)
    return found


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _warnings() -> Iterator[list[logging.LogRecord]]:
    """Collects what reading the configuration warns of, in the place of the log."""
    logger = logging.getLogger(_CONFIG_LOGGER)
    handler = _Collector()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.records
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


def _say_warnings(found: Diagnosis, records: list[logging.LogRecord]) -> None:
    for record in records:
        if record.name == dependencies.__name__:
            found.add("dependencies", "problem", record.getMessage())
        else:
            found.add("config", "note", record.getMessage())


def _versions(found: Diagnosis) -> None:
    versions = [f"{name} {metadata.version(name)}" for name in ("runyard", "langgraph", "langchain-core")]
    found.add("versions", "ok", f"Python {platform.python_version()}, {', '.join(versions)}")
    for text in metadata.requires("runyard") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        remedy = f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found.add("versions", "problem", f"{requirement.name}, which Runyard needs, is not installed", remedy)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wanted = f"Runyard needs {requirement.name}{requirement.specifier}, and {version} is installed"
            found.add("versions", "problem", wanted, remedy)


def _keys(found: Diagnosis, project: Project) -> None:
    """What is done with the keys of the configuration. Those that are ignored have been warned of."""
    for used in project.keys:
        if used.key.treatment == "honoured":
            found.add("key", "ok", f"{used.path} is honoured: {used.key.said}")
        elif used.key.treatment == "image":
            found.add("key", "ok", f"{used.path} is not needed: {used.key.said}")


def _env(found: Diagnosis, project: Project) -> None:
    file = env_file(project.path)
    if file is not None and file.exists():
        found.add("env", "ok", f"{file} sets {len(project.env)} variables")


def _application(found: Diagnosis, project: Project, error: str | None) -> None:
    """`error`: why the project's own application does not load."""
    assert project.app is not None
    if error is None:
        found.add("app", "ok", f"{project.app.path} loads; its lifespan is entered at the start only")
    else:
        found.add("app", "unusable", error)


def _encryption(found: Diagnosis, project: Project, probe: Probe) -> None:
    if probe.error is not None:
        found.add("encryption", "unusable", probe.error)
        return
    found.add("encryption", "ok", f"{project.encryption} encrypts what is stored")
    if probe.kind == "blobs only":
        plain = "metadata and items of the store are stored in plain text"
        found.add("encryption", "note", plain, "register handlers with @encryption.encrypt.json and decrypt.json")


def _authentication(found: Diagnosis, settings: Settings, error: str | None) -> None:
    """`error`: why what says who makes a request does not load."""
    if settings.has_keys:
        said = "callers need an API key"
        try:
            ApiKeys(settings.api_keys, settings.api_keys_file)
        except ConfigError as refusal:
            error = refusal.detail
    elif settings.project.auth is not None:
        said = f"{settings.project.auth.path} says who makes a request"
    else:
        found.add("auth", "ok", f"nobody has to say who they are, on {settings.host}")
        return
    if error is None:
        found.add("auth", "ok", said)
    else:
        found.add("auth", "unusable", error)


def _components(found: Diagnosis, settings: Settings) -> None:
    project = settings.project
    if project.ui is None or "ui" in project.disabled:
        return
    try:
        said = Bundler(project.directory, settings.data_dir / "ui").described()
    except BuildFailed as error:
        found.add("ui", "problem", f"the components of {', '.join(project.ui.paths)} cannot be built: {error}")
        return
    found.add("ui", "ok", f"the components of {', '.join(project.ui.paths)} are built with {said}")


def _traces(found: Diagnosis, project: Project) -> None:
    export = read_trace_export(joined(project.env, os.environ))
    if export is None:
        found.add("traces", "ok", "none are sent: no OTEL_* variable asks for them")
    elif export.problem is not None:
        found.add("traces", "problem", export.problem, export.remedy)
    else:
        found.add("traces", "ok", f"they are sent to {export.endpoint} ({export.protocol})")
