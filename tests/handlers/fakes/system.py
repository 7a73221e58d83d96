"""The server itself, and its metrics."""

from __future__ import annotations

from typing import Any

from runyard.runtime.errors import Unavailable


class FakeSystem:
    """Healthy, until `database` is set to False, or `fault` says what does not go."""

    def __init__(self) -> None:
        self.database = True
        self.fault = ""

    def check_health(self) -> None:
        if self.fault:
            raise Unavailable(self.fault)

    async def check(self) -> None:
        if not self.database:
            raise Unavailable("The database does not answer")

    def info(self) -> dict[str, Any]:
        host = {"kind": "self-hosted"}
        about = {"version": "0", "langgraph_py_version": "1", "flags": {}, "metadata": {}, "host": host}
        return {**about, "server": {"role": "all", "backend": "sqlite"}}


class FakeMetrics:
    """`requests` has method, route and status of each request, `violated` the operations whose answers were wrong."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []
        self.violated: list[str] = []

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.append((method, route, status))

    def answer_violated(self, operation: str) -> None:
        self.violated.append(operation)

    async def exposition(self) -> bytes:
        return b"# HELP requests\n"

    async def snapshot(self) -> dict[str, Any]:
        places = ("pending", "ready", "waiting", "delayed", "running", "n_pending", "n_running")
        seconds = (
            "oldest_ready_seconds",
            "pending_runs_wait_time_max_secs",
            "pending_runs_wait_time_med_secs",
            "pending_unblocked_runs_wait_time_max_secs",
        )
        return {
            "queue": {**dict.fromkeys(places, 0), **dict.fromkeys(seconds, 0.0)},
            "runs": {"success": 1},
            "workers": {"wanted": 1, "connected": 1, "processes": [{"pid": 2, "resident_bytes": None}]},
            "loops": {"late": [], "ended": []},
            "api": {"pid": 1, "resident_bytes": 1},
        }
