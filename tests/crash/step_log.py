"""What the steps that graphs log say about who executed what, and when."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parent / "project" / "langgraph.json"
"""The project whose graphs log their steps."""


@dataclass
class RunTrace:
    """The steps of one run, in order."""

    attempt: int = 0
    pids: dict[int, str] = field(default_factory=dict)
    open: dict[str, tuple[int, str]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


class StepLog:
    """The file that graphs write to, in which the test notes its kills."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def note_kill(self, *pids: int) -> None:
        """To be called before the signal: what these processes have begun may begin again from here on."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(file, "".join(f"kill {pid}\n" for pid in pids).encode())
        os.close(file)

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def started(self) -> int:
        """How many steps have begun."""
        return self.path.read_text().count(" start\n")

    def traces(self) -> dict[str, RunTrace]:
        """By run id. Fails when a step began while another attempt of its run was at work, when something was done by
        an attempt that was over, and when an attempt belonged to two processes."""
        killed: set[str] = set()
        traces: defaultdict[str, RunTrace] = defaultdict(RunTrace)
        for line in self.lines():
            if line.startswith("kill "):
                killed.add(line.removeprefix("kill "))
                continue
            run_id, number, step, pid, what = line.split()
            attempt, trace = int(number), traces[run_id]
            assert attempt >= trace.attempt, f"an attempt that is over goes on: {line}"
            assert trace.pids.setdefault(attempt, pid) == pid, f"two processes at one attempt: {line}"
            if attempt > trace.attempt:
                alive = {other for _, other in trace.open.values()} - killed
                assert not alive, f"begun while another process was at work: {line}"
                trace.open.clear()
                trace.attempt = attempt
            if what == "start":
                assert step not in trace.open, f"begun twice: {line}"
                trace.open[step] = attempt, pid
                trace.started.append(step)
            else:
                assert trace.open.pop(step) == (attempt, pid), line
                if what == "end":
                    trace.ended.append(step)
        return dict(traces)
