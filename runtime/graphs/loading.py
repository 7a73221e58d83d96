"""Imports the objects that langgraph.json names, with errors that a person can act on."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from runyard.runtime.config.environment import SECRETS, joined
from runyard.runtime.config.project import Project
from runyard.runtime.errors import ConfigError
from runyard.runtime.graphs.user_errors import one_line


def prepare_process(project: Project) -> None:
    """Puts the project's folders on `sys.path` and its variables into the environment.

    The folders come first, as for a script that is run from there. The project's variables win over those that
    are set already, but for Runyard's own settings.
    """
    for folder in reversed(project.import_paths):
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.path.insert(0, str(folder))
    variables = joined(project.env, os.environ)
    os.environ.update({key: variables[key] for key in project.env if key not in SECRETS})


def forget_modules(project: Project) -> None:
    """Has the project's own modules imported afresh the next time, for their files have changed."""
    folders = {project.directory, *project.import_paths}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or "site-packages" in Path(file).parts or name.split(".")[0] == "runyard":
            continue
        if any(Path(file).is_relative_to(folder) for folder in folders):
            del sys.modules[name]
    importlib.invalidate_caches()


def names_a_file(target: str) -> bool:
    """Whether it is a file's name, else a module's."""
    return target.endswith(".py") or "/" in target or "\\" in target


def load_object(project: Project, path: str, place: str) -> Any:
    """The object that `path` names, "./file.py:name" or "package.module:name". Raises `ConfigError` in one line that
    begins with the place, whatever the import does."""
    target, _, name = path.rpartition(":")
    try:
        module = _import_file(project, place, target) if names_a_file(target) else importlib.import_module(target)
    except ConfigError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, SystemExit too
        raise ConfigError(f"{place}: {_explain_import(project, target, error)}") from error
    try:
        return getattr(module, name)
    except AttributeError:
        raise ConfigError(f"{place}: {target} has no {name!r}; {_suggest(module, name)}") from None


def _import_file(project: Project, place: str, target: str) -> ModuleType:
    file = (project.directory / target).resolve()
    if not file.is_file():
        raise ConfigError(f"{place}: {file} does not exist")
    # Siblings beside the file can be imported even if their folder is no dependency.
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    name = _natural_name(file, project.import_paths)
    if name is not None:
        return importlib.import_module(name)
    # The name depends on the path alone, so that what one process pickles another can read.
    name = f"{re.sub(r'[^0-9a-zA-Z_]', '_', file.stem)}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{place}: {file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: type hints, dataclasses and pickle look their module up there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _natural_name(file: Path, import_paths: Iterable[Path]) -> str | None:
    """The name under which the project's own code would import `file`, if that is free.

    With it, relative imports work and a sibling that imports the file gets the same module, not a copy.
    """
    folders = [folder for folder in import_paths if file.is_relative_to(folder)]
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        parts = file.relative_to(folder).with_suffix("").parts
        if not all(part.isidentifier() for part in parts):
            continue
        name = ".".join(parts)
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            continue
        if found is not None and found.origin is not None and Path(found.origin).resolve() == file:
            return name
    return None


def line_of(project: Project, error: BaseException) -> str | None:
    """The line of the project's own code that was the last on the way to an error; None when there is none."""
    return last_line(project, traceback.extract_tb(error.__traceback__))


def last_line(project: Project, frames: traceback.StackSummary) -> str | None:
    """The line of the project's own code that was called last; None when none of it was."""
    where = None
    for frame in frames:
        path = Path(frame.filename)
        if path.is_relative_to(project.directory) and "site-packages" not in path.parts:
            where = f"{path.relative_to(project.directory)}, line {frame.lineno}"
    return where


def _explain_import(project: Project, target: str, error: BaseException) -> str:
    where = line_of(project, error) or target
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{Path(error.filename).name}, line {error.lineno}"
    remedy = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        remedy = f"; {_how_to_install(project)}"
    return f"importing it failed ({where}): {one_line(error)}{remedy}"


def _how_to_install(project: Project) -> str:
    """The command that installs what the project's folders ask for, or what to do without such a list."""
    for folder in project.import_paths:
        if any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
            return f"install the project with what it needs: pip install -e {_from_here(folder)}"
        if (folder / "requirements.txt").is_file():
            return f"install what the project needs: pip install -r {_from_here(folder / 'requirements.txt')}"
    return 'install the package that has it, or add its folder to "dependencies"'


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here)) if path.is_relative_to(here) else str(path))


def _suggest(module: ModuleType, name: str) -> str:
    import difflib

    from langgraph.graph import StateGraph
    from langgraph.pregel import Pregel

    graphs = [key for key, value in vars(module).items() if isinstance(value, Pregel | StateGraph)]
    close = difflib.get_close_matches(name, [key for key in vars(module) if not key.startswith("_")], n=3)
    found = graphs or close
    return f"it has {', '.join(found)}" if found else "define it there or name another one"
