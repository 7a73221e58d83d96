"""Making recorded answers the same each time: what a server makes up is replaced by what is counted."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HASH = re.compile(r"(?<![0-9a-f-])[0-9a-f]{32}(?![0-9a-f-])")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_NOW = "2026-01-01T12:00:00.000000+00:00"
_MILLISECONDS = 1_767_268_800_000
"""The same, since 1970."""
_MEASURED = {
    "pid": 4711,
    "resident_bytes": 100_000_000,
    "bytes": 1000,
    "total_bytes": 3000,
    "oldest_ready_seconds": 0.0,
    "rate": 100.0,
    "p50": 0.01,
    "p95": 0.02,
    "langgraph_py_version": "1.2.12",
    "lc_versions": {"langchain-core": "1.8.0"},
}
"""Fields that depend on the machine and on what is installed, and what they become."""


class Plain:
    """Replaces ids in the order in which they come, so that one id is the same in all examples.

    kept: ids that are always the same, those of the graphs' own assistants.
    """

    def __init__(self, kept: Iterable[str]) -> None:
        self._ids = {each: each for each in kept}
        self._count = 0

    def value(self, value: Any, *, ordered: bool = True) -> Any:
        """JSON, made plain. The keys of metadata, and of all objects that are not `ordered`, are sorted: LangGraph
        puts them into one order now and another then."""
        if isinstance(value, dict):
            return {
                self.text(key): _MEASURED[key]
                if key in _MEASURED and each is not None
                else _MILLISECONDS
                if key == "timestamp" and isinstance(each, int)
                else self.value(each, ordered=ordered and key != "metadata")
                for key, each in (value.items() if ordered else sorted(value.items()))
            }
        if isinstance(value, list):
            return [self.value(each, ordered=ordered) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def stream(self, frames: str) -> str:
        """The frames of a stream, made plain."""
        lines = []
        for line in frames.splitlines():
            name, _, text = line.partition(": ")
            if name == "data":
                text = json.dumps(self.value(json.loads(text), ordered=False), separators=(",", ":"))
            lines.append(f"{name}: {self.text(text)}" if name else "")
        return "\n".join([*lines, ""])

    def lines(self, lines: str) -> str:
        """JSON Lines, made plain."""
        return "".join(
            json.dumps(self.value(json.loads(line)), separators=(",", ":")) + "\n"
            for line in lines.splitlines()
            if line
        )

    def text(self, text: str) -> str:
        """A text, made plain."""
        text = _UUID.sub(self._counted(lambda n: f"019b7a00-0000-7000-8000-{n:012x}"), text)
        text = _HASH.sub(self._counted(lambda n: f"{n:032x}"), text)
        return _TIME.sub(_NOW, text)

    def _counted(self, write: Callable[[int], str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            if match[0] not in self._ids:
                self._count += 1
                self._ids[match[0]] = write(self._count)
            return self._ids[match[0]]

        return replace
