"""`--reload`: looks for changes of a project's code and configuration, and has them served.

Files are compared by time and size, some times a second: that works on every file system and in every container, where
notifications of the kernel do not, and needs no further dependency. A slow disk or a huge folder is looked at less
often.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import fields

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.langgraph_json import env_file, load_project
from runyard.runtime.config.project import Project
from runyard.runtime.config.project_files import files_below
from runyard.runtime.errors import RunyardError

logger = logging.getLogger(__name__)

INTERVAL = 0.3
"""Seconds between two looks."""
SHARE = 5
"""A pause between looks is at least so many times as long as a look."""
TAKEN_ON = frozenset(
    (
        "path",
        "directory",
        "graphs",
        "unserved",
        "import_paths",
        "env",
        "ui",
        "serde",
        "encryption",
        "store_index",
        "keys",
    )
)
"""Fields of the project that fresh workers and a refreshed API process bring into force."""

Stamps = dict[str, tuple[int, int]]


class Reloader:
    """Calls `apply` with the project as it is after each change; one at a time, and the latest wins.

    `apply` raises RunyardError for a project that cannot be served: then what was served before goes on, and the next
    change is tried again.
    """

    def __init__(self, project: Project, apply: Callable[[Project], Awaitable[None]], loops: Loops) -> None:
        self._project = project
        self._apply = apply
        self._seen: Stamps = {}
        self._reloading: asyncio.Task[None] | None = None
        self._loop = BackgroundLoop("reload", self._await_change, loops, may_wait=True)
        # What it does is shown at any level: somebody sits in front of it.
        logger.setLevel(logging.INFO)

    async def start(self) -> None:
        """Remembers the files as they are, and looks at them from now on."""
        self._seen = await asyncio.to_thread(stamps, self._project)
        self._loop.start()

    async def stop(self) -> None:
        """Looks no more."""
        await self._loop.stop()
        await self._give_up()

    async def _await_change(self) -> float:
        changed = await self._next_change()
        # A change during a reload: perhaps just what lets an import end that never would.
        await self._give_up()
        self._reloading = asyncio.create_task(self._reload(changed))
        return 0.0

    async def _give_up(self) -> None:
        if self._reloading is not None:
            self._reloading.cancel()
            await asyncio.gather(self._reloading, return_exceptions=True)

    async def _next_change(self) -> list[str]:
        """The files that changed, once nothing has changed between two looks: editors and git write several."""
        changed: set[str] = set()
        pause = INTERVAL
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            found = await asyncio.to_thread(stamps, self._project)
            pause = max(INTERVAL, SHARE * (time.monotonic() - began))
            different = {file for file, _ in found.items() ^ self._seen.items()}
            self._seen = found
            if changed and not different:
                return sorted(changed)
            changed |= different

    async def _reload(self, changed: list[str]) -> None:
        began = time.monotonic()
        what = self._named(changed)
        try:
            project = load_project(self._project.path)
            await self._apply(project)
        except RunyardError as error:
            logger.error("reload: %s changed, but %s; what was served before goes on", what, error.detail)
            return
        except Exception:  # a reload that fails must not end those that come after it
            logger.exception("reload: %s changed, but it cannot be taken on; what was served before goes on", what)
            return
        for name in left_to_restart(self._project, project):
            logger.warning("reload: %s: %s has changed; that needs a restart", project.path, name)
        self._project = project
        logger.info("reload: %s changed; served by fresh workers after %.1f s", what, time.monotonic() - began)

    def _named(self, changed: list[str]) -> str:
        names = ", ".join(os.path.relpath(file, self._project.directory) for file in changed[:3])
        return f"{names} and {len(changed) - 3} more" if len(changed) > 3 else names


def left_to_restart(before: Project, after: Project) -> list[str]:
    """Names of what has changed and is not in force before the next start."""
    names = [item.name for item in fields(Project) if getattr(before, item.name) != getattr(after, item.name)]
    left = [name for name in names if name not in TAKEN_ON]
    if "auth" in left and before.auth is not None and after.auth is not None:  # the document is made at the start
        left.remove("auth")
        if before.auth.openapi != after.auth.openapi:
            left.append("auth.openapi")
    return left


def stamps(project: Project) -> Stamps:
    """Time and size of each file whose change matters: the configuration, its env file, and the project's Python."""
    named = [project.path, env_file(project.path)]
    found: Stamps = {}
    for file in (
        *(str(file) for file in named if file is not None),
        *files_below({project.directory, *project.import_paths}, (".py",)),
    ):
        try:
            state = os.stat(file)
        except OSError:
            continue
        found[file] = (state.st_mtime_ns, state.st_size)
    return found
