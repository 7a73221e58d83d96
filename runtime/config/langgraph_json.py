"""Reads langgraph.json.

Nothing of the user's code is imported here, that is `runyard.runtime.graphs.loading`. Every mistake becomes one
`ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dotenv
import orjson

from runyard.runtime.config.dependencies import import_paths
from runyard.runtime.config.project import CorsPolicy, GraphSpec, Project, WebhookPolicy
from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)

# Serving without these would open what their author meant to close, so they stop the start.
_REFUSED = {
    "auth": "custom authentication is not supported yet: serving without it would leave the API open",
    "encryption": "encryption at rest is not supported yet: serving without it would store plain text",
}
# These change what a client sees, but nothing is lost or opened without them.
_IGNORED = {
    "store": "the store keeps items without an index and without expiry",
    "checkpointer": "checkpoints are kept in the server's own database and do not expire",
    "ui": "UI components are not served",
    "ui_config": "UI components are not served",
}
# These only matter for building container images.
_IMAGE_KEYS = frozenset(
    (
        *("$schema", "api_version", "base_image", "building_tools", "dockerfile_lines", "image_distro"),
        *("keep_pkg_tools", "node_version", "pip_config_file", "pip_installer", "python_version", "source"),
    )
)
_KNOWN = frozenset(("dependencies", "graphs", "env", "webhooks", "http"))


def load_project(path: Path) -> Project:
    """Reads langgraph.json at `path` (or in the folder `path`).

    Keys that protect something and are not supported (`auth`, `encryption`, `http.disable_*`) raise
    `ConfigError`; keys that only add something are named in a warning and ignored (`store`,
    `checkpointer`, `ui`, `http.app`, webhook headers, ...); keys for building images are ignored.
    """
    path = (path / "langgraph.json" if path.is_dir() else path).resolve()
    raw = _read(path)
    for key, reason in _REFUSED.items():
        if raw.get(key):
            raise ConfigError(f"{path}: {key}: {reason}; remove the key to serve without it")
    for key in raw.keys() - _KNOWN - _IMAGE_KEYS - _REFUSED.keys():
        logger.warning("%s: %s is ignored: %s", path, key, _IGNORED.get(key, "the key is not known"))
    directory = path.parent
    return Project(
        path=path,
        directory=directory,
        graphs=_graphs(path, raw.get("graphs")),
        import_paths=import_paths(path, raw.get("dependencies", ["."])),
        env=_env(path, raw.get("env")),
        webhooks=_webhooks(path, raw.get("webhooks")),
        cors=_http(path, raw.get("http")),
    )


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
    return _mapping(path, "the file", raw)


def _mapping(path: Path, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {key} must be an object, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _graphs(path: Path, raw: Any) -> dict[str, GraphSpec]:
    if not raw:
        raise ConfigError(f'{path}: graphs is missing or empty; name at least one: {{"agent": "./agent.py:graph"}}')
    specs: dict[str, GraphSpec] = {}
    for graph_id, value in _mapping(path, "graphs", raw).items():
        place = f"{path}: graphs.{graph_id}"
        entry = {"path": value} if isinstance(value, str) else value
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise ConfigError(f'{place} must be "./file.py:name" or an object with "path"')
        target, _, name = entry["path"].rpartition(":")
        if not target or not name.isidentifier():
            raise ConfigError(f'{place}: "{entry["path"]}" must be "./file.py:name" or "package.module:name"')
        description = entry.get("description")
        if description is not None and not isinstance(description, str):
            raise ConfigError(f"{place}.description must be a string, not {_kind(description)}")
        for key in entry.keys() - {"path", "description"}:
            logger.warning("%s.%s is ignored: the key is not known", place, key)
        specs[graph_id] = GraphSpec(graph_id=graph_id, path=entry["path"], description=description)
    return specs


def _env(path: Path, raw: Any) -> dict[str, str]:
    if raw is None:
        return {}
    if isinstance(raw, str):
        file = path.parent / raw
        if not file.is_file():
            raise ConfigError(f"{path}: env: {file} does not exist; create it or remove the key")
        return {key: value or "" for key, value in dotenv.dotenv_values(file).items()}
    env: dict[str, str] = {}
    for key, value in _mapping(path, "env", raw).items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ConfigError(f"{path}: env.{key} must be a string, not {_kind(value)}")
        env[key] = str(value)
    return env


def _webhooks(path: Path, raw: Any) -> WebhookPolicy:
    section = _mapping(path, "webhooks", raw if raw is not None else {})
    url = _mapping(path, "webhooks.url", section.get("url", {}))
    for key in section.keys() - {"url"}:
        logger.warning("%s: webhooks.%s is ignored: it is not supported yet", path, key)
    options: dict[str, bool] = {}
    for key, value in url.items():
        if key not in WebhookPolicy.__dataclass_fields__:
            raise ConfigError(f"{path}: webhooks.url.{key} is not supported yet; remove it to serve without it")
        if not isinstance(value, bool):
            raise ConfigError(f"{path}: webhooks.url.{key} must be true or false, not {_kind(value)}")
        options[key] = value
    return WebhookPolicy(**options)


def _http(path: Path, raw: Any) -> CorsPolicy:
    section = _mapping(path, "http", raw if raw is not None else {})
    for key in section.keys() - {"cors"}:
        if key.startswith("disable_") and section[key]:
            raise ConfigError(f"{path}: http.{key} is not supported yet; remove it to serve all operations")
        logger.warning("%s: http.%s is ignored: it is not supported yet", path, key)
    return _cors(path, _mapping(path, "http.cors", section.get("cors") or {}))


def _cors(path: Path, raw: Mapping[str, Any]) -> CorsPolicy:
    options: dict[str, Any] = {}
    defaults = CorsPolicy()
    for key, value in raw.items():
        place = f"{path}: http.cors.{key}"
        if key not in CorsPolicy.__dataclass_fields__:
            raise ConfigError(f"{place} is not known; known are {', '.join(CorsPolicy.__dataclass_fields__)}")
        default = getattr(defaults, key)
        if isinstance(default, tuple):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ConfigError(f"{place} must be a list of strings")
            options[key] = tuple(value)
            continue
        expected = str if default is None else type(default)
        if type(value) is not expected and not (default is None and value is None):
            raise ConfigError(f"{place} must be of type {expected.__name__}, not {_kind(value)}")
        options[key] = value
    return CorsPolicy(**options)
