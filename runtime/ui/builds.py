"""Builds that are there, and the folder that keeps them from one start to the next."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Build:
    """The files that browsers load, by their names; `digest` names their content, and nobody guesses it."""

    files: Mapping[str, bytes]
    digest: str


def build_of(files: Mapping[str, bytes]) -> Build:
    """The build that consists of the files."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return Build(files, digest.hexdigest()[:32])


class KeptBuilds:
    """Builds in a folder, each under the fingerprint of what it was made from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, fingerprint: str) -> Build | None:
        """The build that was made of the same, if it is whole."""
        for place in self._folder.glob(f"{fingerprint}-*"):
            try:
                build = build_of({file.name: file.read_bytes() for file in place.iterdir()})
            except OSError:
                continue
            if place.name == f"{fingerprint}-{build.digest}":
                return build
        return None

    def keep(self, fingerprint: str, build: Build) -> None:
        """Keeps it; where that cannot be done, the next start has to build again."""
        target = self._folder / f"{fingerprint}-{build.digest}"
        if target.exists():
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
            for name, content in build.files.items():
                (made / name).write_bytes(content)
            os.rename(made, target)
        except OSError as error:
            logger.warning("ui: a build could not be kept: %s", error)

    def drop_others(self, fingerprints: Collection[str]) -> None:
        """Removes all builds but those of these fingerprints, and what earlier processes have left unfinished."""
        for place in self._folder.glob("*"):
            if place.name.partition("-")[0] not in fingerprints:
                shutil.rmtree(place, ignore_errors=True)
