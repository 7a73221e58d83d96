"""Schemathesis against a live server: whatever it makes up is answered as the document says, and never with a 500.

`RUNYARD_FUZZ_EXAMPLES=100 scripts/test tests/fuzz` for a long look; the number is that of examples an operation.
`RUNYARD_FUZZ_SEED` repeats what another seed found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live_server import LiveServer, StartServer

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("RUNYARD_FUZZ_EXAMPLES", "4"))


def run(server: LiveServer, folder: Path, seed: int, *options: str) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", f"{server.url}/openapi.json", "--checks", "all", "--no-color"]
    command += ["--seed", str(seed), *options]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout[-20_000:]}{done.stderr}"
    assert server.get("/ok?check_db=1")["ok"]


@pytest.fixture
def server(start_server: StartServer) -> LiveServer:
    return start_server(args=("--workers", "1"))


@pytest.mark.timeout(300 + 60 * EXAMPLES)
@pytest.mark.parametrize("phases", ["examples,fuzzing", pytest.param("coverage", marks=pytest.mark.full)])
def test_every_operation_keeps_to_the_document(server: LiveServer, tmp_path: Path, fuzz_seed: int, phases: str) -> None:
    run(server, tmp_path, fuzz_seed, "--phases", phases, "--max-examples", str(EXAMPLES))


@pytest.mark.full
@pytest.mark.timeout(300 + 60 * EXAMPLES)
def test_what_was_created_can_be_used_in_any_order(server: LiveServer, tmp_path: Path, fuzz_seed: int) -> None:
    run(server, tmp_path, fuzz_seed, "--phases", "stateful", "--max-examples", str(EXAMPLES * 10))


@pytest.mark.full
@pytest.mark.timeout(300 + 60 * EXAMPLES)
@pytest.mark.parametrize("backend", ["postgres"], indirect=True, scope="session")
def test_postgres_takes_what_the_document_allows(server: LiveServer, tmp_path: Path, fuzz_seed: int) -> None:
    options = ("--phases", "coverage,stateful", "--mode", "positive", "--max-examples", str(EXAMPLES * 3))
    run(server, tmp_path, fuzz_seed, *options)
