"""Reads langgraph.json.

Nothing of the user's code is imported here, that is `runyard.runtime.graphs.loading`. Every mistake becomes one
`ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from runyard.runtime.config.auth_section import read_auth
from runyard.runtime.config.checkpointer import read_serde, read_thread_ttl
from runyard.runtime.config.dependencies import import_paths
from runyard.runtime.config.encryption_section import read_encryption
from runyard.runtime.config.environment import default_configs, joined, read_env
from runyard.runtime.config.http_section import read_http
from runyard.runtime.config.keys import refuse_keys, used_keys, warn_of_keys
from runyard.runtime.config.project import GraphSpec, Project
from runyard.runtime.config.reading import kind, mapping
from runyard.runtime.config.store_section import read_store_index, read_store_ttl
from runyard.runtime.config.ui_section import read_ui
from runyard.runtime.config.webhook_policy import read_webhooks
from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)

_JAVASCRIPT = (".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".jsx", ".tsx")


def load_project(path: Path, *, environment: Mapping[str, str] | None = None) -> Project:
    """Reads langgraph.json at `path` (or in the folder `path`).

    `environment` (default: that of the process) has LANGGRAPH_CONFIG and what webhook headers use, where the
    project's own `env` has not.

    What is done with each key says `runyard.runtime.config.keys`: what is refused raises `ConfigError`, what is ignored
    is named in a warning, as are graphs in JavaScript while there are others.
    """
    path = (path / "langgraph.json" if path.is_dir() else path).resolve()
    raw = _read(path)
    used = used_keys(raw)
    refuse_keys(str(path), used)
    _check_python(path, raw.get("python_version"))
    env = read_env(path, raw.get("env"))
    variables = joined(env, os.environ if environment is None else environment)
    paths, unserved = _graphs(path, raw.get("graphs"))
    configs = default_configs(variables, paths)
    http = read_http(str(path), raw)
    project = Project(
        path=path,
        directory=path.parent,
        graphs={
            graph_id: GraphSpec(
                graph_id=graph_id, path=target, description=description, config=configs.get(graph_id, {})
            )
            for graph_id, (target, description) in paths.items()
        },
        unserved=unserved,
        import_paths=import_paths(path, raw.get("dependencies", ["."])),
        env=env,
        webhooks=read_webhooks(str(path), raw, variables, enabled="webhooks" not in http.disabled),
        cors=http.cors,
        disabled=http.disabled,
        configurable_headers=http.configurable_headers,
        logging_headers=http.logging_headers,
        app=http.app,
        mount_prefix=http.mount_prefix,
        thread_ttl=read_thread_ttl(str(path), raw),
        serde=read_serde(str(path), raw),
        auth=read_auth(str(path), raw),
        encryption=read_encryption(str(path), raw),
        store_ttl=read_store_ttl(str(path), raw),
        store_index=read_store_index(str(path), raw),
        keys=tuple(used),
        ui=read_ui(str(path), raw, path.parent),
    )
    warn_of_keys(str(path), used)  # after whatever ends the start
    return project


def env_file(path: Path) -> Path | None:
    """The file that `env` of the configuration file `path` names; None when there is none, or nobody can say."""
    try:
        raw = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    name = raw.get("env") if isinstance(raw, dict) else None
    return path.parent / Path(name).expanduser() if isinstance(name, str) and name else None


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; create it or name another one with --config") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path}: not valid JSON, line {error.lineno}: {error.msg}") from None
    return mapping(f"{path}: the file", raw)


def _check_python(path: Path, version: Any) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version is not None and ".".join(str(version).split(".")[:2]) != running:
        logger.warning("%s: python_version %s is asked for, but Python %s runs", path, version, running)


def _graphs(path: Path, raw: Any) -> tuple[dict[str, tuple[str, str | None]], dict[str, str]]:
    """Path and description of the graphs that can be served, and why others cannot."""
    if not raw:
        raise ConfigError(f'{path}: graphs is missing or empty; name at least one: {{"agent": "./agent.py:graph"}}')
    served: dict[str, tuple[str, str | None]] = {}
    unserved: dict[str, str] = {}
    for graph_id, value in mapping(f"{path}: graphs", raw).items():
        place = f"{path}: graphs.{graph_id}"
        entry = {"path": value} if isinstance(value, str) else value
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise ConfigError(f'{place} must be "./file.py:name" or an object with "path"')
        target, _, name = entry["path"].rpartition(":")
        if target.lower().endswith(_JAVASCRIPT):
            unserved[graph_id] = "graphs in JavaScript and TypeScript are not supported"
            continue
        if not target or not name.isidentifier():
            raise ConfigError(f'{place}: "{entry["path"]}" must be "./file.py:name" or "package.module:name"')
        description = entry.get("description")
        if description is not None and not isinstance(description, str):
            raise ConfigError(f"{place}.description must be a string, not {kind(description)}")
        served[graph_id] = (entry["path"], description)
    if not served:
        raise ConfigError(
            f"{path}: graphs: all are in JavaScript or TypeScript, which are not supported; add one in Python"
        )
    for graph_id, reason in unserved.items():
        logger.warning("%s: graphs.%s is not served: %s", path, graph_id, reason)
    return served, unserved
