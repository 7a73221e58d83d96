"""The server's clock, which jumps on demand where libfaketime is installed. The monotonic clock goes on as it is."""

from __future__ import annotations

import os
from pathlib import Path

_OVERRIDES = Path(__file__).parent / "faked_clock"
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


class Clock:
    """`env` is for the server's environment. Without `wanted`, or the library, nothing is put before its clock."""

    def __init__(self, file: Path, *, wanted: bool) -> None:
        library = _library() if wanted else None
        self.possible = library is not None
        self._file = file
        self._offset = 0
        self.env: dict[str, str] = {}
        if library is not None:
            self._write()
            self.env = {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "PYTHONPATH": str(_OVERRIDES),
            }

    def jump(self, seconds: int) -> None:
        """Forward, or back where negative."""
        self._offset += seconds
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._offset:+d}\n")
        os.replace(new, self._file)


def _library() -> Path | None:
    for place in _PLACES:
        for found in sorted(Path(place).glob("**/faketime/libfaketimeMT.so.1")):
            return found
    return None
