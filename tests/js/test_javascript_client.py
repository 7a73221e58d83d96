"""The stock JavaScript client under Node, driven through the scenarios of scenarios.mjs."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.disconnecting_proxy import disconnecting_proxy
from tests.gate import Gate
from tests.live_server import LiveServer

HERE = Path(__file__).parent
SCENARIOS = re.findall(r"^export async function (\w+)", (HERE / "scenarios.mjs").read_text(), re.MULTILINE)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_javascript_client(node: str, live_server: LiveServer, gate: Gate, scenario: str) -> None:
    async with disconnecting_proxy(live_server.url, b'"waiting"') as proxy:
        process = await asyncio.create_subprocess_exec(
            node,
            HERE / "run_scenario.mjs",
            scenario,
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
            output, _ = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            gate.open()
    assert process.returncode == 0, output.decode()
    assert proxy.disconnected.is_set() == scenario.startswith("aBroken")
