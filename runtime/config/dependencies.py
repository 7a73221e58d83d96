"""The `dependencies` of langgraph.json: local folders for the import path, and installed packages.

Runyard installs nothing by itself: a package that is missing is named in a warning, with the command that
installs it. If a graph really needs it, the import of the graph fails with its own clear line.
"""

from __future__ import annotations

import logging
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)


def import_paths(config: Path, dependencies: Any) -> tuple[Path, ...]:
    """The folders for `sys.path`, in order; the folder of the configuration file comes last.

    `config` is the configuration file, `dependencies` its value as parsed. A local folder that does not
    exist raises `ConfigError`; a package that is not installed is a warning.
    """
    if not isinstance(dependencies, list) or not all(isinstance(item, str) for item in dependencies):
        raise ConfigError(f'{config}: dependencies must be a list of strings, for example ["."]')
    folders: dict[Path, None] = {}
    for dependency in dependencies:
        if dependency.startswith((".", "/", "~")):
            folders[_folder(config, dependency)] = None
        else:
            _check_installed(config, dependency)
    folders[config.parent] = None
    return tuple(folders)


def _folder(config: Path, dependency: str) -> Path:
    folder = (config.parent / Path(dependency).expanduser()).resolve()
    if folder.is_file():  # a requirements.txt or pyproject.toml stands for its folder
        folder = folder.parent
    if not folder.is_dir():
        raise ConfigError(f'{config}: dependencies: folder "{dependency}" does not exist ({folder})')
    return folder


def _check_installed(config: Path, dependency: str) -> None:
    try:
        requirement = Requirement(dependency)
    except InvalidRequirement:
        logger.warning("%s: dependencies: %r is neither a folder nor a package", config, dependency)
        return
    if requirement.marker is not None and not requirement.marker.evaluate():
        return
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        logger.warning("%s: %s is not installed; install it with: pip install %r", config, requirement.name, dependency)
        return
    if requirement.specifier and not requirement.specifier.contains(version, prereleases=True):
        logger.warning("%s: %s is asked for, but version %s is installed", config, dependency, version)
