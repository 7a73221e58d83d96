"""The table of run transitions, and what a run answers when it ends without its graph's doing.

| event          | from    | to                                         | guard                                   |
|----------------|---------|--------------------------------------------|-----------------------------------------|
| create         | -       | pending                                    | multitask strategy, same transaction    |
| claim          | pending | running                                    | due; head of its thread; new attempt    |
| heartbeat      | running | running                                    | lease                                   |
| finish         | running | success, error, timeout                    | lease, no cancel requested              |
| overdue        | running | timeout                                    | its time, or that of its batch, is over |
| stop           | running | interrupted, or removed (rollback)         | cancel requested; lease, or the worker  |
|                |         |                                            | is dead or has not stopped it in time   |
| try again      | running | pending, due after the back-off            | lease; the graph raised what the run's  |
|                |         |                                            | retry policy names; tries left; no      |
|                |         |                                            | cancel requested                        |
| release        | running | pending                                    | lease (shutdown, or the end cannot be   |
|                |         |                                            | written), or the worker is dead; no     |
|                |         |                                            | cancel requested                        |
| exhaust        | running | error                                      | the worker is dead, or the end cannot   |
|                |         |                                            | be written; no attempts left            |
| cancel         | pending | interrupted, or removed (rollback)         | status                                  |
| give up        | pending | timeout                                    | the time of its batch to begin, or to   |
|                |         |                                            | end, is over                            |
| request cancel | running | running, flagged                           | status                                  |

An attempt is a claim. A try is an execution that the graph itself brought to an end: a run whose worker dies has
another attempt, one whose graph raises has another try if its policy says so. While it waits for that it keeps its
thread, so that no other run gets in between.

A graph that pauses at an interrupt ends its run in `success`: the thread is interrupted, the run is not.
Final states stay final. A transition that matches no row raises `Conflict` or `LeaseLost`.
"""

from typing import Final

import orjson


def error_result(error: str, message: str) -> bytes:
    """What waiting for and joining a failed run answers (observed at GET
    /threads/{thread_id}/runs/{run_id}/join: an object with `__error__`, status 200)."""
    return orjson.dumps({"__error__": {"error": error, "message": message}})


def timed_out(seconds: float) -> bytes:
    """What a run answers that was stopped since an attempt at it took longer than `seconds`."""
    return error_result(
        "TimeoutError", f"The run was stopped: it took longer than {seconds:g} s (RUNYARD_RUN_TIMEOUT)."
    )


def batch_timed_out(kind: str, seconds: float) -> bytes:
    """What a run answers whose batch was to "start" or to "finish" within `seconds`, and it has not."""
    past = "begun" if kind == "start" else "ended"
    return error_result(
        "TimeoutError",
        f"The run had not {past} {seconds:g} s after its batch was accepted (X-Batch-{kind.capitalize()}-Within).",
    )


CANCELLED: Final = error_result("UserInterrupt", "The run was cancelled before it ended.")
EXHAUSTED: Final = error_result(
    "WorkerLost",
    "The process that executed the run died at every attempt; it is not tried again. "
    "Look for what ends the process: memory, a native extension, os._exit.",
)
UNKNOWN: Final = error_result("HTTPException", "404: Run not found")
