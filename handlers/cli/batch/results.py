"""Results of a batch: kept in the order of the input, written as soon as the order allows, counted."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

ENDED = ("success", "paused", "error")
"""success: the graph reached its end; paused: it waits at an interrupt; error: it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run of the batch: status "pending" until it ended, then one of `ENDED`."""

    line: int
    run_id: str
    thread_id: str
    status: str
    values: Any = None
    error: Any = None

    def ended(self, status: str, *, values: Any = None, error: Any = None) -> Self:
        """This run with its outcome."""
        return replace(self, status=status, values=values, error=error)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Reads what `to_json` wrote. Raises KeyError for a missing key."""
        return cls(
            line=int(value["line"]),
            run_id=str(value["run_id"]),
            thread_id=str(value["thread_id"]),
            status=str(value["status"]),
            values=value.get("values"),
            error=value.get("error"),
        )

    def to_json(self) -> bytes:
        """One line of a results file, without the newline."""
        value: dict[str, Any] = {
            "line": self.line,
            "run_id": self.run_id,
            "thread_id": self.thread_id,
            "status": self.status,
        }
        if self.status == "error":
            value["error"] = self.error
        elif self.status != "pending":
            value["values"] = self.values
        # The standard library's JSON keeps integers of any size exact, and a lone surrogate becomes its
        # JSON escape.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


class Results:
    """Takes outcomes in any order and hands them to `emit` in the order of `runs`."""

    def __init__(self, runs: list[Result], emit: Callable[[Result], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.failed: list[Result] = []
        self._runs: list[Result | None] = list(runs)  # None: emitted, its values may be freed
        self._places = {run.run_id: place for place, run in enumerate(runs)}
        self._next = 0
        self._emit = emit
        for run in runs:
            if run.status in ENDED:
                self.add(run)

    def add(self, result: Result) -> None:
        """Takes the outcome of one run."""
        self.counts[result.status] += 1
        if result.status == "error":
            self.failed.append(result)
        self._runs[self._places[result.run_id]] = result
        while self._next < len(self._runs):
            run = self._runs[self._next]
            if run is None or run.status not in ENDED:
                break
            self._emit_next()

    def close(self) -> None:
        """Emits the rest, with those that have not ended as "pending"."""
        while self._next < len(self._runs):
            self._emit_next()

    def _emit_next(self) -> None:
        run = self._runs[self._next]
        self._runs[self._next] = None
        self._next += 1
        if run is not None:
            self._emit(run)
