"""Servers of the sample project whose graphs use the server that executes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.live_server import LiveServer

PROJECT = Path(__file__).parents[1] / "sample_projects" / "within"


def within(folder: Path, *args: str, config: str = "langgraph.json", **env: str) -> LiveServer:
    """A server of the project, not started."""
    return LiveServer(folder / "data", config=PROJECT / config, args=args, env=env)


def run(server: LiveServer, graph: str, does: str = "", *, headers: dict[str, str] | None = None, **needs: Any) -> Any:
    """What a run of the graph comes to; what it needs is in its input."""
    asked = {"assistant_id": graph, "input": {"does": does, "with_": needs}}
    answer = server.http.post(f"{server.url}/runs/wait", json=asked, headers=headers)
    answer.raise_for_status()
    values = answer.json()
    return values.get("__error__") or values["result"]
