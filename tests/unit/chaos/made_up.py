"""Evidence as a session would collect it, made up for one case."""

from __future__ import annotations

from typing import Any

from scripts.chaos_suite.stories import (
    Certainty,
    Evidence,
    FoundRun,
    FoundThread,
    Mark,
    RunStory,
    Stop,
    StreamStory,
    ThreadStory,
)

THREAD = "thread"


def run(run_id: str = "run", *, status: str | None = "success", accepted: float = 0.0, **fields: Any) -> RunStory:
    """A run of two steps and the tag `run_id`, with the final status."""
    story = RunStory(
        run_id=run_id,
        thread_id=THREAD,
        tag=fields.pop("tag", run_id),
        graph="steps",
        accepted=accepted,
        expected=fields.pop("expected", done(run_id, 2)),
        found=FoundRun(status=status),
    )
    for name, value in fields.items():
        setattr(story, name, value)
    return story


def done(tag: str, steps: int) -> tuple[str, ...]:
    """What so many steps leave in the state."""
    return tuple(f"{tag}:{step}" for step in range(steps))


def thread(entries: tuple[str, ...] = (), *, status: str | None = "idle", **fields: Any) -> ThreadStory:
    """The thread, whose values and state hold the entries."""
    values = {"done": list(entries)}
    found = FoundThread(status=status, values=values, interrupts=fields.pop("interrupts", {}), state={"values": values})
    return ThreadStory(thread_id=THREAD, found=found, **fields)


def evidence(*runs: RunStory, thread: ThreadStory | None = None, **fields: Any) -> Evidence:
    """Of the runs, on one thread."""
    threads = {} if thread is None else {THREAD: thread}
    return Evidence(runs=list(runs), threads=threads, tags={run.tag for run in runs}, **fields)


def marks(*lines: str, run_id: str = "run") -> list[Mark]:
    """Each line is `time attempt pid step what`."""
    found = []
    for line in lines:
        time, attempt, pid, step, what = line.split()
        found.append(Mark(run_id, THREAD, int(attempt), run_id, step, int(pid), what, float(time)))
    return found


def stop(*, rollback: bool = False, certainty: Certainty = "accepted", answered: float = 1.0, **fields: Any) -> Stop:
    """A request to stop."""
    return Stop(rollback=rollback, certainty=certainty, answered=answered, how="cancel", **fields)


def stream(*events: tuple[str, Any], in_order: bool = True, **fields: Any) -> StreamStory:
    """A stream of these events, with ids from 1."""
    numbered = [(f"{number}-0", name, data) for number, (name, data) in enumerate(events, 1)]
    return StreamStory(
        run_id="run", how="POST", replayed=True, events=fields.pop("events", numbered), in_order=in_order, **fields
    )


def whole_stream(tag: str = "run", steps: int = 2) -> list[tuple[str, Any]]:
    """The events of a run of so many steps."""
    events: list[tuple[str, Any]] = [("metadata", {"run_id": "run", "attempt": 1})]
    for number, entry in enumerate(done(tag, steps), 1):
        events += [("custom", entry), ("values", {"done": list(done(tag, number))})]
    return events
