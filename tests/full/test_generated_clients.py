"""Clients that common generators make of the document: complete, well typed, and good for a batch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.handlers.contract.document import load_document
from tests.full.generated_clients.sdk_names import with_sdk_names
from tests.live_server import LiveServer
from tests.programs import require_npm_packages, require_program

HERE = Path(__file__).parent / "generated_clients"

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-8000:]}{done.stderr[-8000:]}"
    return done.stdout + done.stderr


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """The document, with the readable names of its operations in the place that generators look at."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(with_sdk_names(load_document())))
    return path


def test_a_python_client_is_generated_whole_and_follows_a_batch(
    document: Path, tmp_path: Path, live_server: LiveServer
) -> None:
    package = tmp_path / "runyard_client"
    generate: list[str | Path] = [Path(sys.executable).parent / "openapi-python-client", "generate", "--meta", "none"]
    generate += ["--path", document, "--output-path", package, "--config", HERE / "openapi_python_client.yaml"]
    said = run(*generate, cwd=tmp_path)
    assert "WARNING" not in said, said
    assert "Unable" not in said, said
    modules = {path.stem for path in package.glob("api/*/*.py")} - {"__init__"}
    assert len(modules) == len(list(operation_ids(document)))
    assert {"create_batch", "join_thread_run"} <= modules

    story = shutil.copy(HERE / "batch_story.py", tmp_path)
    mypy: list[str | Path] = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        HERE / "mypy.ini",
        "--cache-dir",
        tmp_path / "cache",
    ]
    run(*mypy, package, story, cwd=tmp_path)
    assert "came to its end" in run(sys.executable, story, live_server.url, cwd=tmp_path)


def test_a_typescript_client_is_generated_whole_and_follows_a_batch(
    document: Path, tmp_path: Path, live_server: LiveServer
) -> None:
    node = require_program("node", why="the generated TypeScript client")
    packages = require_npm_packages(HERE, why="the generated TypeScript client")
    for name in ("batch_story.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages)
    # Otherwise what has a default would have to be sent.
    generate: list[str | Path] = [
        packages / "openapi-typescript" / "bin" / "cli.js",
        document,
        "--default-non-nullable=false",
    ]
    run(node, *generate, "--output", "runyard.ts", cwd=tmp_path)
    types = (tmp_path / "runyard.ts").read_text()
    for name in operation_ids(document):
        assert f"\n    {name}: {{\n" in types
    # The types that the generator always writes, and that of an empty object; one that may hold anything is no such.
    empty = [line for line in types.splitlines() if "Record<string, never>" in line and "ProtocolNothing:" not in line]
    assert all(line.startswith("export type") for line in empty), empty

    run(node, packages / "typescript" / "bin" / "tsc", "--project", "tsconfig.json", cwd=tmp_path)
    assert "came to its end" in run(node, "built/batch_story.js", live_server.url, cwd=tmp_path)


def operation_ids(document: Path) -> list[str]:
    paths = json.loads(document.read_text())["paths"]
    return [operation["operationId"] for item in paths.values() for operation in item.values()]
