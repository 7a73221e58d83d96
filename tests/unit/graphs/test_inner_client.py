"""The places in langgraph_sdk where clients without a URL are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAD = """
from pathlib import Path
import langgraph_sdk, langgraph_sdk.client
from langgraph_sdk import get_client
from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.graphs.inner_client import InnerTransport, SyncInnerTransport, connect_clients
"""
CONNECT = 'connect_clients(InnerAddress(Path("/nowhere/inner"), b"secret"))\n'


def run(code: str, **env: str) -> str:
    """In a process of its own: connecting changes langgraph_sdk for good."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, env=env, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() + done.stderr.strip()


def test_clients_of_every_place_use_the_inner_socket() -> None:
    assert (
        run(
            CONNECT
            + """
for made in (get_client, langgraph_sdk.get_client, langgraph_sdk.client.get_client):
    assert isinstance(made().http.client._transport, InnerTransport)
for made in (langgraph_sdk.get_sync_client, langgraph_sdk.client.get_sync_client):
    client = made(timeout=7, headers={"x-mine": "1"}).http.client
    assert isinstance(client._transport, SyncInnerTransport)
    assert (client.timeout.read, client.headers["x-mine"]) == (7, "1")
for made in (get_client, langgraph_sdk.get_sync_client):
    assert "Inner" not in type(made(url="http://127.0.0.1:1").http.client._transport).__name__
"""
        )
        == ""
    )


def test_the_official_server_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "langgraph_api").mkdir()
    (tmp_path / "langgraph_api" / "__init__.py").write_text("raise SystemExit('it was imported')")
    assert run(CONNECT + "get_client()", PYTHONPATH=str(tmp_path)) == ""


def test_clients_that_nodes_make_leave_nothing_behind() -> None:
    assert (
        run(
            CONNECT
            + """
import gc, weakref
made = [weakref.ref(get_client().http.client._transport) for _ in range(20)]
gc.collect()
assert not any(each() for each in made)
"""
        )
        == ""
    )


def test_another_langgraph_sdk_is_said_not_to_know_the_server() -> None:
    assert "give it a URL" in run(f"del langgraph_sdk.client.get_client.__globals__['get_asgi_transport']\n{CONNECT}")


def test_a_client_that_no_server_executes_says_so() -> None:
    assert "give it a URL" in run(
        """
import httpx
try:
    httpx.Client(transport=SyncInnerTransport()).get("http://api")
except RuntimeError as error:
    print(error)
"""
    )
