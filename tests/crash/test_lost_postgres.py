"""Postgres ends in the middle of everything: what is asked is answered so, what runs goes on when it is back."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gate import UNHELD, Gate
from tests.inner_clients.servers import within
from tests.live_server import PROJECT, LiveServer, StartServer, poll
from tests.private_postgres import PrivatePostgres

DOCUMENT = Path(__file__).parents[2] / "generated" / "openapi.json"
NEEDS_NO_DATABASE = {
    "root_get",
    "health_check_ok_get",
    "server_info_info_get",
    "system_metrics_metrics_get",
    "docs_get",
    "guides_get",
    "guide_get",
    "openapi_json_get",
    "sign_in_get",
    "sign_in_post",
    "sign_in_delete",
    "get_ui_file",
    "get_mcp",
    "delete_mcp",
}
"""Operations that answer all the same, be it that something is not there."""
ASKING = ["/told", "/told-sync"]
"""Routes of an application whose code asks the server, in async code and in a thread."""
LONG = 2.5
"""Seconds in which all have looked for the database."""
LEASE = 3.0
"""Seconds: as many as leave a slow machine time to renew a lease before it is taken for dead."""

pytestmark = pytest.mark.full


@pytest.fixture
def postgres() -> Iterator[PrivatePostgres]:
    with tempfile.TemporaryDirectory(prefix="runyard-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = PrivatePostgres(Path(folder), {})
        server.start()
        yield server
        server.stop_at_once()


def serve(start_server: StartServer, postgres: PrivatePostgres, lease: float = 30.0) -> LiveServer:
    env = {"RUNYARD_DATABASE": postgres.address, "RUNYARD_LEASE_SECONDS": str(lease)}
    server = start_server(config=PROJECT, args=("--workers", "1"), env=env)
    server.await_workers(1)
    return server


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of the document."""
    for path, item in json.loads(DOCUMENT.read_text())["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield method, path, item[method]


def request_for(path: str, operation: dict[str, Any], assistant_id: str) -> dict[str, Any]:
    """What httpx needs for a request that is as it should be; what it names need not be there."""
    parameters = json.loads(DOCUMENT.read_text())["components"]["parameters"]
    named = [
        parameters[given["$ref"].rsplit("/", 1)[1]] if "$ref" in given else given
        for given in operation.get("parameters", [])
    ]
    for given in named:
        if given["in"] == "path":
            value = assistant_id if given["name"] == "assistant_id" else str(uuid.uuid4())
            path = path.replace(f"{{{given['name']}}}", value)
    query = {given["name"]: assistant_id for given in named if given["in"] == "query" and given.get("required")}
    if path == "/.well-known/agent-card.json":
        query = {"assistant_id": assistant_id}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return {"url": path, "params": query}
    body = content["example"] if "example" in content else next(iter(content["examples"].values()))["value"]
    for part in body if isinstance(body, list) else [body]:
        if "assistant_id" in part:
            part["assistant_id"] = assistant_id
    return {"url": path, "params": query, "json": body}


def test_every_operation_says_that_the_database_is_away(start_server: StartServer, postgres: PrivatePostgres) -> None:
    server = serve(start_server, postgres)
    (assistant,) = server.post("/assistants/search", {"graph_id": "gated", "limit": 1})
    postgres.stop_at_once()
    wrong = {}
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for method, path, operation in operations():
            answer = http.request(method, **request_for(path, operation, assistant["assistant_id"]))
            if operation["operationId"] in NEEDS_NO_DATABASE:
                told = answer.status_code < 500
            else:
                told = answer.status_code == 503 and "retry-after" in answer.headers and is_told(path, answer.json())
            if not told:
                wrong[f"{method} {path}"] = (answer.status_code, answer.text[:200])
    assert wrong == {}
    postgres.start()
    run = {"assistant_id": "gated", "input": UNHELD}
    poll(lambda: server.http.post(f"{server.url}/runs/wait", json=run).status_code == 200)
    assert "Traceback" not in server.log.read_text()


def is_told(path: str, answer: dict[str, Any]) -> bool:
    """Whether an answer says what is the matter, as its protocol says it."""
    if path.startswith(("/mcp/", "/a2a/")):
        return answer["jsonrpc"] == "2.0" and bool(answer["id"]) and "database" in answer["error"]["message"]
    return "database" in answer["detail"]


def test_routes_of_the_projects_application_go_on_and_are_told_that_the_database_is_away(
    postgres: PrivatePostgres, tmp_path: Path
) -> None:
    server = within(tmp_path, "--workers", "1", config="with_app.json", RUNYARD_DATABASE=postgres.address)
    ann = {"authorization": "Bearer ann-token"}
    with contextlib.closing(server.start()), httpx.Client(base_url=server.url, headers=ann, timeout=30) as http:
        assert [http.get(route).json() for route in ASKING] == [0, 0]
        postgres.stop_at_once()
        for route in ASKING * 2:
            told = http.get(route).json()
            assert (told["status"], told["retry_after"] is None) == (503, False)
        assert "use get_client() in async code" in http.get("/block").json(), "what needs no database goes on"
        postgres.start()
        poll(lambda: [http.get(route).json() for route in ASKING] == [0, 0])


def test_what_follows_something_is_silent_while_the_database_is_away(
    start_server: StartServer, postgres: PrivatePostgres, gate: Gate
) -> None:
    server = serve(start_server, postgres)
    thread = server.post("/threads", {})["thread_id"]
    wanted = {"assistant_id": "gated", "input": gate.input(), "stream_resumable": True}
    run = server.post(f"/threads/{thread}/runs", wanted)
    begun = server.http.post(f"{server.url}/runs/batch", json=[{"assistant_id": "gated", "input": gate.input()}])
    batch = begun.headers["x-batch-id"]
    followed = {
        f"/threads/{thread}/runs/{run['run_id']}/stream": "x out",
        f"/threads/{thread}/runs/{run['run_id']}/join": "x out",
        f"/threads/{thread}/stream": "run_done",
        f"/batches/{batch}/stream": '"ended_at":"',
        f"/batches/{batch}/results?follow=true": "x out",
    }
    heard: dict[str, str] = {}
    answered = threading.Barrier(len(followed) + 2)

    def follow(path: str, end: str, channels: dict[str, Any] | None = None) -> None:
        method = "GET" if channels is None else "POST"
        with httpx.stream(method, f"{server.url}{path}", json=channels, timeout=60) as answer:
            answered.wait(60)
            for line in answer.iter_lines():
                heard[path] = line
                if end in line:
                    return

    followers = [threading.Thread(target=follow, args=each) for each in followed.items()]
    protocol = (f"/threads/{thread}/stream/events", "completed", {"channels": ["lifecycle"]})
    followers.append(threading.Thread(target=follow, args=protocol))
    for each in followers:
        each.start()
    answered.wait(60)
    postgres.stop_at_once()
    gate.open()
    time.sleep(LONG)  # all of them have looked meanwhile
    postgres.start()
    for each in followers:
        each.join(60)
    assert {path: end for path, end in followed.items() if end not in heard[path]} == {}
    assert "completed" in heard[protocol[0]]
    assert "Traceback" not in server.log.read_text()


def test_runs_and_streams_outlast_a_database_that_is_away(
    start_server: StartServer, postgres: PrivatePostgres, gate: Gate
) -> None:
    server = serve(start_server, postgres)
    lines: list[str] = []

    def stream() -> None:
        body = {"assistant_id": "gated", "input": gate.input(), "stream_mode": ["values", "custom"]}
        with httpx.stream("POST", f"{server.url}/runs/stream", json=body, timeout=60) as answer:
            lines.extend(answer.iter_lines())

    watching = threading.Thread(target=stream)
    watching.start()
    poll(lambda: server.metrics()["queue"]["running"] == 1)
    postgres.stop_at_once()
    gate.open()  # its next checkpoint, and its end, find no database
    with pytest.raises(httpx.HTTPStatusError):
        server.post("/runs", {"assistant_id": "gated", "input": UNHELD})
    postgres.start()
    watching.join(60)
    assert any("x out" in line for line in lines)
    server.await_idle()
    assert "goes back to the queue" not in server.log.read_text(), "it was executed once"


def test_a_database_that_is_away_for_longer_than_a_lease_is_nobodys_death(
    start_server: StartServer, postgres: PrivatePostgres, gate: Gate
) -> None:
    server = serve(start_server, postgres, lease=LEASE)
    worker = server.await_workers(1)
    thread = server.post("/threads", {})["thread_id"]
    run = server.post(f"/threads/{thread}/runs", {"assistant_id": "gated", "input": gate.input()})
    poll(lambda: server.metrics()["queue"]["running"] == 1)
    postgres.stop_at_once()
    time.sleep(LEASE * 1.4)
    postgres.start()
    gate.open()
    path = f"{server.url}/threads/{thread}/runs/{run['run_id']}"
    poll(lambda: server.http.get(path).json().get("status") == "success")
    assert server.workers() == worker
    assert "died" not in server.log.read_text()
