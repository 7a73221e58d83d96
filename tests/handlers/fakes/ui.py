"""Components of a project that has some for the graph `chain`."""

from __future__ import annotations

from runyard.runtime.errors import NotFound
from runyard.runtime.ui.builds import Build

BUILD = Build({"entrypoint.css": b".x {}", "entrypoint.js": b"var __LGUI_chain", "picture.svg": b"<svg/>"}, "a1b2")


class FakeUi:
    """What `UiHandlers` asks."""

    def has(self, name: str) -> bool:
        return name == "chain"

    async def build(self, name: str) -> Build:
        if name != "chain":
            raise NotFound(f"There are no components of the name {name!r}")
        return BUILD

    def file(self, name: str, digest: str, file: str) -> bytes:
        if name != "chain" or digest != BUILD.digest or file not in BUILD.files:
            raise NotFound("Not Found")
        return BUILD.files[file]
