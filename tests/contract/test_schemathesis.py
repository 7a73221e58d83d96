"""Schemathesis against the web layer alone: whatever it makes up is answered as the document says."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from runyard.handlers.app import create_app

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def url(fakes: Any) -> Iterator[str]:
    runtime = fakes.make_runtime()
    runtime.runs.script = [[fakes.Event("metadata", b'{"run_id":"r","attempt":1}')]]
    server = uvicorn.Server(uvicorn.Config(create_app(runtime), port=0, lifespan="on", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_every_operation_keeps_to_the_document(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    command += ["run", f"{url}/openapi.json", "--checks", "all", "--max-examples", "10", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
