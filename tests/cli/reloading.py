"""A project whose code and configuration change while it is served."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live_server import LiveServer, StartServer, poll

CODE = """
import asyncio, os, time
from pathlib import Path
from typing import TypedDict
from langgraph.graph import START, StateGraph
from spoken import WORD


class State(TypedDict, total=False):
    gate: str
    said: str
    steps: list


async def first(state):
    return {"steps": ["first"]}


async def second(state):
    while state.get("gate") and not Path(state["gate"]).exists():
        await asyncio.sleep(0.02)
    return {"said": f"{WORD} {os.environ.get('NAME', 'nobody')}", "steps": [*state["steps"], "second"]}


async def third(state):
    Path(state["gate"] + ".blocked").touch()
    while not Path(state["gate"]).exists():
        time.sleep(0.02)  # holds up the whole worker
    return {"said": WORD}


graph = StateGraph(State).add_node(first).add_node(second)
graph = graph.add_edge(START, "first").add_edge("first", "second").compile()
other = StateGraph(State).add_node(second).add_edge(START, "second").compile()
blocking = StateGraph(State).add_node(third).add_edge(START, "third").compile()
"""


def write_project(directory: Path) -> Path:
    """The folder of a project: a graph in a module that imports another one, and an env file."""
    folder = directory / "project"
    folder.mkdir()
    (folder / "code.env").write_text("NAME=Ada\n")
    (folder / "talking.py").write_text(CODE)
    (folder / "spoken.py").write_text('WORD = "hello"\n')
    configure(folder, {"talk": "./talking.py:graph"})
    return folder


def reloading_server(start_server: StartServer, project: Path) -> LiveServer:
    return start_server(config=project / "langgraph.json", args=("--workers", "2", "--reload"))


def configure(folder: Path, graphs: dict[str, str], **more: Any) -> None:
    (folder / "langgraph.json").write_text(json.dumps({"graphs": graphs, "env": "code.env", **more}))


def say(server: LiveServer, graph: str = "talk") -> str:
    """What a run says."""
    said: str = server.post("/runs/wait", {"assistant_id": graph, "input": {"steps": []}})["said"]
    return said


def await_log(server: LiveServer, text: str, times: int = 1) -> None:
    poll(lambda: server.log.read_text().count(text) >= times)


def changed(server: LiveServer, change: Callable[[], Any]) -> None:
    """Makes a change, and waits until fresh workers serve."""
    before = server.log.read_text().count("served by fresh workers")
    change()
    await_log(server, "served by fresh workers", before + 1)


def speak(project: Path, word: str) -> None:
    """Has the project's graphs say another word."""
    (project / "spoken.py").write_text(f'WORD = "{word}"\n')
