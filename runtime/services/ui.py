"""The components of front ends that come with a project: built beside the server's work, and handed out."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.project import Project, UiSection
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import NotFound, Unavailable
from runyard.runtime.ui.builds import Build, KeptBuilds, build_of
from runyard.runtime.ui.bundler import VERSION, Bundler
from runyard.runtime.ui.processes import BuildFailed
from runyard.runtime.ui.sources import Stamps, fingerprint, stamps

logger = logging.getLogger(__name__)

WAIT: Final = 30.0
"""Seconds that a request waits for components that are being built."""
AGAIN: Final = 300.0
"""Seconds after which what failed is tried again: the registry of packages may be back."""
INTERVAL: Final = 0.5
"""Seconds between two looks for changes, with `--reload`."""
SHARE: Final = 5
"""A pause between looks is at least so many times as long as a look."""
OLD: Final = 3600.0
"""Seconds after which what was on its way into a folder that servers share is nobody's any more."""


@dataclass(slots=True)
class _Components:
    """What has become of the components of one name."""

    build: Build | None = None
    failure: str | None = None
    tried: asyncio.Event = field(default_factory=asyncio.Event)


class Ui:
    """The service behind the operations on components. All that it does on its own account happens after `start`."""

    def __init__(self, settings: Settings, loops: Loops) -> None:
        self._reload = settings.reload
        self._data_dir = settings.data_dir
        self._is_shared = settings.database is not None
        self._project = settings.project
        self._folder = settings.data_dir / "ui"
        self._kept = KeptBuilds(self._folder / "builds")
        self._components = {name: _Components() for name in self._section.paths}
        self._seen: tuple[UiSection, Stamps] | None = None
        self._due = 0.0
        self._loop = BackgroundLoop("ui", self._round, loops, may_wait=True)

    @property
    def _section(self) -> UiSection:
        project = self._project
        return UiSection(paths={}) if project.ui is None or "ui" in project.disabled else project.ui

    async def start(self) -> None:
        """Begins to build, and looks for changes where the server does; without components, nothing happens."""
        for left in (*self._folder.glob("build-*"), *self._folder.glob("install-*")):
            if not self._is_shared or _age(left) > OLD:
                await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)
        if self._reload or self._section.paths:
            self._loop.start()

    async def stop(self) -> None:
        """Builds no more."""
        await self._loop.stop()

    def serve(self, project: Project) -> None:
        """Serves the components of a project that has changed, from now on."""
        self._project = project
        self._components = {name: self._components.get(name, _Components()) for name in self._section.paths}
        self._loop.wake()

    def has(self, name: str) -> bool:
        """Whether there are components of that name, built or not."""
        return name in self._components

    async def build(self, name: str) -> Build:
        """The components of that name. Raises NotFound, and Unavailable where they could not be built."""
        components = self._components.get(name)
        if components is None:
            known = ", ".join(self._components) or "none; ui of langgraph.json names them"
            raise NotFound(f"There are no components of the name {name[:100]!r}; there are {known}")
        try:
            async with asyncio.timeout(WAIT):
                await components.tried.wait()
        except TimeoutError:
            raise Unavailable(f"The components of {name!r} are still being built; try again") from None
        if components.build is None:
            raise Unavailable(f"The components of {name!r} could not be built: {components.failure}")
        return components.build

    def file(self, name: str, digest: str, file: str) -> bytes:
        """A file of the build with that digest. Raises NotFound."""
        components = self._components.get(name)
        build = None if components is None else components.build
        if build is None or build.digest != digest or file not in build.files:
            raise NotFound("Not Found")
        return build.files[file]

    # Building

    async def _round(self) -> float | None:
        section = self._section
        began = time.monotonic()
        sources: Stamps = {}
        if section.paths:
            sources = await asyncio.to_thread(stamps, self._project.directory, without=self._data_dir)
        looked = time.monotonic() - began
        if self._seen != (section, sources) or began >= self._due:
            self._seen = (section, sources)
            self._due = began + AGAIN
            if await self._build_all(section, sources):
                self._due = float("inf")
        if self._reload:
            return max(INTERVAL, SHARE * looked)
        return None if self._due == float("inf") else AGAIN

    async def _build_all(self, section: UiSection, sources: Stamps) -> bool:
        """Builds the components of every name; whether all could be. What was built of the same before is served
        meanwhile: it may have been made from more than the project's own files, so it is built again."""
        directory = self._project.directory
        bundler = Bundler(directory, self._folder)
        fingerprints = {
            name: await asyncio.to_thread(fingerprint, sources, directory, VERSION, name, path, *section.shared)
            for name, path in section.paths.items()
        }
        for name, made_from in fingerprints.items():
            components = self._components.get(name)
            if components is not None and components.build is None:
                components.build = await asyncio.to_thread(self._kept.find, made_from)
                if components.build is not None:
                    components.tried.set()
        whole = True
        for name, path in section.paths.items():
            components = self._components.get(name)
            if components is None:
                continue
            began = time.monotonic()
            try:
                files = await bundler.build(name, path, section.shared)
            except (BuildFailed, OSError) as error:
                whole = False
                self._failed(name, components, str(error))
            else:
                components.build, components.failure = build_of(files), None
                await asyncio.to_thread(self._kept.keep, fingerprints[name], components.build)
                size = sum(map(len, files.values())) / 1000
                logger.info("ui: %s: built in %.1f s, %.0f kB", name, time.monotonic() - began, size)
            components.tried.set()
        await asyncio.to_thread(self._kept.drop_others, {*fingerprints.values()})
        return whole

    def _failed(self, name: str, components: _Components, why: str) -> None:
        if why == components.failure:
            return
        components.failure = why
        if components.build is None:
            logger.error("ui: the components of %s are not served: %s", name, why)
        else:
            logger.error("ui: the components of %s are served as they were built before: %s", name, why)


def _age(path: Path) -> float:
    """Seconds since it was changed; 0 for what is there no more."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
