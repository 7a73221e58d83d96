"""The stock JavaScript client under Node, driven through the stories of stories.mjs."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import Gate
from tests.api.cutting import cutting_proxy
from tests.live_server import LiveServer
from tests.programs import require_program

HERE = Path(__file__).parent
STORIES = re.findall(r"^export async function (\w+)", (HERE / "stories.mjs").read_text(), re.MULTILINE)


@pytest.fixture(scope="session")
def node() -> Path:
    """Node, with the packages of package-lock.json installed beside the stories."""
    node = require_program("node", why="the JavaScript client")
    npm = require_program("npm", why="the JavaScript client")
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"npm ci failed in {HERE}: {done.stderr}", pytrace=False)
        installed.touch()
    return node


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.mark.parametrize("story", STORIES)
async def test_javascript(node: str, live_server: LiveServer, gate: Gate, story: str) -> None:
    async with cutting_proxy(live_server.url, b'"waiting"') as proxy:
        telling = await asyncio.create_subprocess_exec(
            node,
            HERE / "tell.mjs",
            story,
            env={
                "PATH": os.environ["PATH"],
                "RUNYARD_URL": live_server.url,
                "RUNYARD_PROXY": proxy.url,
                "RUNYARD_GATE": str(gate.path),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(telling.communicate(), 60)
        finally:
            if telling.returncode is None:
                telling.kill()
                await telling.wait()
            gate.open()
    assert telling.returncode == 0, said.decode()
    assert proxy.broken.is_set() == story.startswith("aBroken")
