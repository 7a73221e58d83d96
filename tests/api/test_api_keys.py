"""API keys, with the stock clients and the command line against a real server."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client

from tests.cli.processes import RUNYARD, environment
from tests.live_server import LiveServer

KEY, OF_FILE = "a-key-that-nobody-guesses", "another-key-that-nobody-guesses"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys").write_text(f"team:{OF_FILE}\n")
    server = LiveServer(
        folder / "data",
        # An address for others, without another word: callers have to have a key.
        args=("--workers", "1", "--host", "0.0.0.0"),
        env={"RUNYARD_API_KEYS": f"{KEY}, spare:{KEY}-2", "RUNYARD_API_KEYS_FILE": str(folder / "keys")},
    )
    server.start()
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    yield server
    server.close()


async def test_the_stock_clients_send_their_key(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (KEY, f"{KEY}-2", OF_FILE):
        client = get_client(url=server.url, api_key=key)
        values: Any = await client.runs.wait(None, "chain", input={"n": 1})
        assert values["n"] == 112
    monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
    assert (await get_client(url=server.url).assistants.search())[0]["graph_id"]
    remote = RemoteGraph("chain", url=server.url, api_key=KEY)
    assert (await remote.ainvoke({"n": 1}))["n"] == 112
    with pytest.raises(httpx.HTTPStatusError, match="The API key is not known"):
        await get_client(url=server.url, api_key="a-key-that-somebody-guessed").threads.create()


async def test_a_key_says_that_one_may_call_and_not_for_whom(server: LiveServer) -> None:
    client = get_client(url=server.url, api_key=KEY)
    values: Any = await client.runs.wait(None, "revealing", input={}, config={"configurable": {"user_id": "ann"}})
    configurable = values["seen"]["configurable"]
    assert (configurable["user_id"], configurable["langgraph_auth_user"]) == ("ann", None)


def submit(server: LiveServer, *options: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [RUNYARD, "batch", "submit", "-", "--assistant", "chain", *options],
        input=b'{"n": 1}\n',
        capture_output=True,
        env=environment(server.url, LANGSMITH_API_KEY="", **variables),
        timeout=240,
    )


def test_a_batch_takes_its_key_from_an_option_or_the_environment(server: LiveServer) -> None:
    for done in (submit(server, "--api-key", KEY), submit(server, LANGGRAPH_API_KEY=KEY)):
        assert done.returncode == 0, done.stderr
        assert uuid.UUID(done.stdout.decode().strip())
    refused = submit(server)
    assert refused.returncode == 2
    assert b"give the server's key with --api-key, or as RUNYARD_API_KEY" in refused.stderr


async def test_keys_are_neither_in_the_log_nor_told_to_the_processes_of_graphs(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        assert (await http.get("/ok")).status_code == 200
        answers = [await http.get(path, headers={"x-api-key": KEY}) for path in ("/info", "/metrics", "/openapi.json")]
        for header in ("x-api-key", "authorization"):
            await http.get("/metrics", headers={header: f"Bearer {KEY}-wrong"})
    assert [answer.status_code for answer in answers] == [200] * 3
    assert {*answers[2].json()["components"]["securitySchemes"]} == {"key", "bearer"}
    log = server.log.read_text()
    assert "denied: GET /metrics from 127.0.0.1: 401 The API key is not known" in log
    others = [process for process in server.processes() if process.pid != server.pid]
    assert len(others) >= 2
    said = [log, *(answer.text for answer in answers), *(str(psutil.Process(p.pid).environ()) for p in others)]
    assert not [text for text in said if KEY in text or OF_FILE in text]


def test_keys_and_authentication_of_the_project_do_not_go_together(tmp_path: Path) -> None:
    project = Path(__file__).parents[1] / "sample_projects" / "token_table" / "langgraph.json"
    refused = subprocess.run(
        [RUNYARD, "serve", "--config", project, "--port", "0", "--data", tmp_path],
        capture_output=True,
        env=environment("", RUNYARD_API_KEYS=KEY),
        timeout=240,
    )
    assert refused.returncode == 2
    assert b"auth says who makes a request, and so do API keys" in refused.stderr
    assert KEY.encode() not in refused.stderr
