"""Makes what browsers load of components, with the Node of whoever serves the project.

The bundler is that of LangGraph's own tools, `@langchain/langgraph-ui`: the project's where it has one, else one that
npm puts into the data directory. It leaves React and what pages share to the page, and makes Tailwind's CSS where the
components ask for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from runyard.runtime.ui.processes import BuildFailed, run

PACKAGE: Final = "@langchain/langgraph-ui"
VERSION: Final = "1.5.1"
"""Of the bundler that npm gets."""

INSTALL_SECONDS: Final = 240.0
BUILD_SECONDS: Final = 120.0
LARGEST: Final = 32 << 20
"""Bytes of the files of one build, together."""

_ERROR = re.compile(r"\[ERROR\] (?P<what>.+)(?:\s*\n\s*\n\s+(?P<where>\S+:\d+:\d+):)?")


class Bundler:
    """Builds the components of the project in `directory`; `folder` is its own, for npm and what is on the way."""

    def __init__(self, directory: Path, folder: Path) -> None:
        self._directory = directory
        self._folder = folder

    async def build(self, name: str, path: str, shared: Sequence[str]) -> dict[str, bytes]:
        """The files of the components that the file `path` exports, by their names. Raises BuildFailed."""
        if not (self._directory / path).is_file():
            raise BuildFailed(f"{path} is not there")
        node = program("node")
        script = await self._script()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix="build-", dir=self._folder) as target:
            variables = {
                "LANGGRAPH_UI": orjson.dumps({name: f"./{path}"}).decode(),
                "LANGGRAPH_UI_CONFIG": orjson.dumps({"shared": shared}).decode(),
            }
            command = (node, script, "build", "--output", target)
            try:
                await run(command, folder=self._directory, variables=variables, seconds=BUILD_SECONDS)
            except BuildFailed as error:
                raise BuildFailed(_first_error(str(error))) from None
            return await asyncio.to_thread(_read, Path(target, "public", name))

    def described(self) -> str:
        """What it would build with, in words; nothing is installed. Raises BuildFailed where something is missing."""
        node = program("node")
        if (script := self._installed()) is not None:
            return f"{node} and {script}"
        return f"{node}, and {PACKAGE} {VERSION}, which {program('npm')} gets at the start"

    async def _script(self) -> Path:
        if (found := self._installed()) is not None:
            return found
        npm = program("npm")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix="install-", dir=self._folder) as made:
            options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--fetch-retries=1")
            command = (npm, "install", "--prefix", made, *options, f"{PACKAGE}@{VERSION}")
            try:
                await run(command, folder=Path(made), variables={}, seconds=INSTALL_SECONDS)
            except BuildFailed as error:
                raise BuildFailed(
                    f"the bundler could not be installed ({_last_line(str(error))}); where npm reaches no registry,"
                    f" have it in the project: npm install --save-dev {PACKAGE}@{VERSION}"
                ) from None
            with contextlib.suppress(OSError):  # another start was first
                os.rename(made, self._installation)
                os.mkdir(made)
        if (found := _installed(self._installation)) is None:
            raise BuildFailed(f"npm has installed {PACKAGE}, and it is not there")
        return found

    def _installed(self) -> Path | None:
        return _installed(self._directory, *self._directory.parents) or _installed(self._installation)

    @property
    def _installation(self) -> Path:
        return self._folder / f"bundler-{VERSION}"


def program(name: str) -> Path:
    """Where a program is. Raises BuildFailed."""
    found = shutil.which(name)
    if found is None:
        raise BuildFailed(f"{name} is not on the PATH; install Node 20 or newer with npm")
    return Path(found)


def _installed(*folders: Path) -> Path | None:
    """The script of the bundler that is installed in the first of the folders that has one."""
    for folder in folders:
        package = folder / "node_modules" / PACKAGE
        try:
            return package / str(orjson.loads((package / "package.json").read_bytes())["bin"]["langgraphjs-ui"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _read(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    room = LARGEST
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        room -= file.stat().st_size
        if room < 0:
            raise BuildFailed(f"they have more than {LARGEST >> 20} MiB")
        files[file.name] = file.read_bytes()
    if "entrypoint.js" not in files:
        raise BuildFailed("the bundler has made nothing of them")
    return files


def _first_error(said: str) -> str:
    found = _ERROR.search(said)
    if found is None:
        return _last_line(said)
    return f"{found['where']}: {found['what']}" if found["where"] else found["what"]


def _last_line(said: str) -> str:
    return said.strip().splitlines()[-1][:500]
