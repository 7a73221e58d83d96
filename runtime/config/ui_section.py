"""The `ui` of langgraph.json: components of front ends that come with the project."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from runyard.runtime.config.project import UiSection
from runyard.runtime.config.reading import kind, section, strings
from runyard.runtime.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def read_ui(file: str, raw: dict[str, Any], directory: Path) -> UiSection | None:
    """`ui` and `ui_config`; None when the project has no components. Raises ConfigError."""
    config = section(f"{file}: ", raw, "ui_config")
    for key in config.keys() - {"shared"}:
        raise ConfigError(f"{file}: ui_config.{key} is not known; known is shared")
    shared = strings(f"{file}: ui_config.shared", config.get("shared"))
    paths: dict[str, str] = {}
    variables: dict[str, str] = {}
    for name, path in section(f"{file}: ", raw, "ui").items():
        place = f"{file}: ui.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{place}: names consist of letters, digits and _ . -, and begin with none of . and -")
        variable = re.sub(r"[^A-Za-z0-9]", "_", name)
        if variable in variables:
            raise ConfigError(f"{place} and ui.{variables[variable]} would be one name in a page; rename one of them")
        variables[variable] = name
        paths[name] = _path(place, path, directory)
    return UiSection(paths=paths, shared=shared) if paths else None


def _path(place: str, path: Any, directory: Path) -> str:
    if not isinstance(path, str):
        raise ConfigError(f'{place} must be the path of a file, such as "./src/ui.tsx", not {kind(path)}')
    relative = os.path.relpath(directory / path, directory)
    if relative == "." or relative.split(os.sep)[0] == "..":
        raise ConfigError(f"{place}: {path} is no file below the project's folder")
    return relative
