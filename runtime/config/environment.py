"""The variables of a project: read from langgraph.json, and joined with those of the process."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import dotenv
import orjson

from runyard.runtime.config.reading import kind, mapping
from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)

DEFAULT_CONFIGS: Final = "LANGGRAPH_CONFIG"
"""The variable with the config that runs of each graph start from."""

SECRETS: Final = frozenset(("RUNYARD_API_KEYS", "RUNYARD_DATABASE", "RUNYARD_DATABASE_DIRECT"))
"""What only the server is to know, and no process in whose environment the project's code looks."""
_OWN: Final = frozenset(("DATABASE_URI", "REDIS_URI"))
_OWN_PREFIX: Final = "RUNYARD_"


def read_env(path: Path, raw: Any) -> dict[str, str]:
    """The variables that `env` asks for: the name of a file, or an object. `path` is the configuration file.

    A file that does not exist is a warning: repositories name theirs and keep it to themselves. Values of an object
    become the text that the file has for them, so true is "true" and 1 is "1".
    """
    if raw is None or raw == "":
        return {}
    if isinstance(raw, str):
        file = path.parent / Path(raw).expanduser()
        if not file.exists():
            logger.warning(
                "%s: env: %s does not exist; its variables are not set. Create it if a graph needs it", path, file
            )
            return {}
        try:
            values = dotenv.dotenv_values(file)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: env: {file} cannot be read: {error}") from None
        # A name without "=" sets nothing.
        return {key: _text(f"{file}: {key}", key, value) for key, value in values.items() if value is not None}
    return {key: _text(f"{path}: env.{key}", key, value) for key, value in mapping(f"{path}: env", raw).items()}


def _text(place: str, name: str, value: Any) -> str:
    if not name or "=" in name or "\0" in name:
        raise ConfigError(f"{place!r} is not the name of a variable")
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | int | float):
        text = orjson.dumps(value).decode()
    else:
        raise ConfigError(f"{place} must be a string, a number, true or false, not {kind(value)}")
    if "\0" in text:
        raise ConfigError(f"{place} has a NUL character, which no variable can hold; remove it")
    return text


def joined(project: Mapping[str, str], process: Mapping[str, str]) -> dict[str, str]:
    """The variables of the process with those of the project.

    The project's win, but for Runyard's own settings (RUNYARD_*, DATABASE_URI, REDIS_URI): a file that was copied
    into an image must not win over what its operator says.
    """
    return {**process, **{key: value for key, value in project.items() if not (_is_own(key) and process.get(key))}}


def _is_own(name: str) -> bool:
    return name.startswith(_OWN_PREFIX) or name in _OWN


def default_configs(environment: Mapping[str, str], graphs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What LANGGRAPH_CONFIG says: graph id to the config that its runs start from.

    Raises `ConfigError` when it is not a JSON object of configs; a graph that there is not is a warning.
    """
    text = environment.get(DEFAULT_CONFIGS)
    if not text:
        return {}
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{DEFAULT_CONFIGS}: not valid JSON, column {error.colno}: {error.msg}") from None
    configs = {
        graph_id: _config(f"{DEFAULT_CONFIGS}: {graph_id}", config)
        for graph_id, config in mapping(f"{DEFAULT_CONFIGS}:", raw).items()
    }
    for graph_id in configs.keys() - {*graphs}:
        logger.warning("%s: there is no graph %r; its config is ignored", DEFAULT_CONFIGS, graph_id)
    return configs


def _config(place: str, value: Any) -> dict[str, Any]:
    config = mapping(place, value)
    for key in ("configurable", "metadata"):
        if key in config:
            mapping(f"{place}.{key}", config[key])
    tags = config.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ConfigError(f"{place}.tags must be a list of strings")
    limit = config.get("recursion_limit", 1)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigError(f"{place}.recursion_limit must be a whole number, at least 1")
    return config
