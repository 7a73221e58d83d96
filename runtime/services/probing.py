"""Loads one thing of a project in a process of its own, as a server would, and says what came of it.

    python -P -m runyard.runtime.services.probing CONFIG WHAT NAME RESULT

WHAT is `graph`, `embeddings` (of the store), `auth` (what says who makes a request), `app` (of the project) or
`encryption`; NAME is that of the graph. The process writes `{"kind": text}` or `{"error": text}` as JSON into the file
RESULT: a file, since user code prints what it likes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import orjson

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import Project
from runyard.runtime.errors import RunyardError
from runyard.runtime.graphs.user_errors import bounded

LAST_WORDS = 2000
"""Bytes of the end of stderr that are shown of a process that dies."""


What = Literal["graph", "embeddings", "auth", "app", "encryption"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of loading a graph (`name`) or something else: its kind, or an error that says what to do."""

    what: What
    name: str
    kind: str | None
    error: str | None


async def probe_project(project: Project, *, timeout: float) -> list[Probe]:
    """Loads every graph of the project, the embeddings of its store, what says who makes a request, its own application
    and what encrypts, as many at once as there are cores; each gets `timeout` seconds."""
    places = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(what: What, name: str = "") -> Probe:
        async with places:
            return await _probe(project, what, name, timeout)

    probes = [one("graph", name) for name in project.graphs]
    if project.store_index is not None:
        probes.append(one("embeddings"))
    if project.auth is not None:
        probes.append(one("auth"))
    if project.app is not None:
        probes.append(one("app"))
    if project.encryption is not None:
        probes.append(one("encryption"))
    return await asyncio.gather(*probes)


async def _probe(project: Project, what: What, name: str, timeout: float) -> Probe:
    with tempfile.TemporaryDirectory(prefix="runyard-doctor-") as folder:
        result, words = Path(folder, "result.json"), Path(folder, "stderr")
        with await asyncio.to_thread(words.open, "wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                # -P: a worker does not have the current folder on its import path either.
                *(sys.executable, "-P", "-m", __name__, str(project.path), what, name, str(result)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            error = f"its import has not ended after {timeout:g} s; look at what it does at the top of its modules"
            return Probe(what, name, None, error)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # what it started too
                await process.wait()
        return await asyncio.to_thread(_read, what, name, process.returncode, result, words)


def _read(what: What, name: str, code: int | None, result: Path, words: Path) -> Probe:
    try:
        found = orjson.loads(result.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        last = " ".join(words.read_bytes()[-LAST_WORDS:].decode(errors="replace").split())
        said = f"; it said last: {last}" if last else ""
        return Probe(what, name, None, f"its import ended the process (exit code {code}){said}")
    return Probe(what, name, found.get("kind"), found.get("error"))


def _load(config: Path, what: str, name: str) -> dict[str, str]:
    try:
        project = load_project(config)
        return {"kind": _LOADS[what](project, name)}
    except RunyardError as error:
        return {"error": bounded(error.detail)}


def _load_graph(project: Project, name: str) -> str:
    from runyard.runtime.graphs.registry import Graphs

    graphs = Graphs(replace(project, graphs={name: project.graphs[name]}))
    graphs.load()
    if graphs.is_factory(name):
        return "factory"
    asyncio.run(graphs.open(name, {}, store=None))
    return "graph"


def _load_embeddings(project: Project, _: str) -> str:
    from runyard.runtime.graphs.loading import prepare_process
    from runyard.runtime.store.embedder import load_embedder

    prepare_process(project)
    load_embedder(project)
    return "embeddings"


def _load_auth(project: Project, _: str) -> str:
    from runyard.runtime.services.authentication import load_custom

    load_custom(project, timeout=1.0)
    return "auth"


def _load_app(project: Project, _: str) -> str:
    from runyard.runtime.webapp.loading import load_web_app

    load_web_app(project, timeout=1.0)
    return "app"


def _load_encryption(project: Project, _: str) -> str:
    from runyard.runtime.services.encryption import load_encryption

    handlers = load_encryption(project, timeout=1.0)
    assert handlers is not None
    return "encryption" if handlers.has_json else "blobs only"


_LOADS = {
    "graph": _load_graph,
    "embeddings": _load_embeddings,
    "auth": _load_auth,
    "app": _load_app,
    "encryption": _load_encryption,
}


def main() -> None:
    """The process."""
    config, what, name, result = sys.argv[1:]
    Path(result).write_bytes(orjson.dumps(_load(Path(config), what, name)))
    os._exit(0)  # threads that an import has started need not end


if __name__ == "__main__":
    main()
