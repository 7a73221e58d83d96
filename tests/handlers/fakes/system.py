"""The server itself, and its metrics."""

from __future__ import annotations

from typing import Any

from runyard.runtime.errors import Unavailable


class FakeSystem:
    """Healthy, until `database` is set to False."""

    def __init__(self) -> None:
        self.database = True

    async def check(self) -> None:
        if not self.database:
            raise Unavailable("The database does not answer")

    def info(self) -> dict[str, Any]:
        return {"version": "0", "langgraph_py_version": "1", "flags": {}, "metadata": {}}


class FakeMetrics:
    """`requests` has method, route and status of each request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.append((method, route, status))

    async def exposition(self) -> bytes:
        return b"# HELP requests\n"

    async def snapshot(self) -> dict[str, Any]:
        return {"queue": {}, "workers": {}, "api": {}}
