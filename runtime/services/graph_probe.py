"""Loads one graph, or what says who makes a request, in a process of its own, as a server would; says what came of it.

    python -P -m runyard.runtime.services.graph_probe CONFIG GRAPH_ID RESULT

(an empty GRAPH_ID stands for the latter) writes `{"kind": "graph", "factory" or "auth"}` or `{"error": text}` as JSON
into the file RESULT. It is a file, since user code prints what it likes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import Project
from runyard.runtime.errors import RunyardError
from runyard.runtime.graphs.user_errors import bounded

_AUTH = ""
LAST_WORDS = 2000
"""Bytes of the end of stderr that are shown of a process that dies."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of loading a graph: its kind, or an error that says what to do."""

    graph_id: str
    kind: str | None
    error: str | None


async def probe_graphs(project: Project, *, timeout: float) -> list[Probe]:
    """Loads every graph of the project, as many at once as there are cores; each gets `timeout` seconds."""
    places = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(graph_id: str) -> Probe:
        async with places:
            return await _probe(project, graph_id, timeout)

    return await asyncio.gather(*map(one, project.graphs))


async def probe_authentication(project: Project, *, timeout: float) -> Probe:
    """Loads what says who makes a request, which the project must have."""
    return await _probe(project, _AUTH, timeout)


async def _probe(project: Project, graph_id: str, timeout: float) -> Probe:
    with tempfile.TemporaryDirectory(prefix="runyard-doctor-") as folder:
        result, words = Path(folder, "result.json"), Path(folder, "stderr")
        with await asyncio.to_thread(words.open, "wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                # -P: a worker does not have the current folder on its import path either.
                *(sys.executable, "-P", "-m", __name__, str(project.path), graph_id, str(result)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            error = f"its import has not ended after {timeout:g} s; look at what it does at the top of its modules"
            return Probe(graph_id, None, error)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it started too
                await process.wait()
        return await asyncio.to_thread(_read, graph_id, process.returncode, result, words)


def _read(graph_id: str, code: int | None, result: Path, words: Path) -> Probe:
    try:
        found = orjson.loads(result.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        last = " ".join(words.read_bytes()[-LAST_WORDS:].decode(errors="replace").split())
        said = f"; it said last: {last}" if last else ""
        return Probe(graph_id, None, f"its import ended the process (exit code {code}){said}")
    return Probe(graph_id, found.get("kind"), found.get("error"))


def _load(config: Path, graph_id: str) -> dict[str, str]:
    from runyard.runtime.graphs.registry import Graphs
    from runyard.runtime.services.authentication import load_custom

    try:
        project = load_project(config)
        if graph_id == _AUTH:
            load_custom(project, timeout=1.0)
            return {"kind": "auth"}
        graphs = Graphs(replace(project, graphs={graph_id: project.graphs[graph_id]}))
        graphs.load()
        if graphs.is_factory(graph_id):
            return {"kind": "factory"}
        asyncio.run(graphs.open(graph_id, {}, store=None))
    except RunyardError as error:
        return {"error": bounded(error.detail)}
    return {"kind": "graph"}


def main() -> None:
    """The process."""
    config, graph_id, result = sys.argv[1:]
    Path(result).write_bytes(orjson.dumps(_load(Path(config), graph_id)))
    os._exit(0)  # threads that an import has started need not end


if __name__ == "__main__":
    main()
