"""The stock JavaScript client under Node, driven through the scenarios of scenarios.mjs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disconnecting_proxy import disconnecting_proxy
from tests.gate import Gate
from tests.js.scenarios import run_scenario, scenarios_of
from tests.live_server import LiveServer


@pytest.mark.parametrize("scenario", scenarios_of("scenarios.mjs"))
async def test_the_javascript_client(node: Path, live_server: LiveServer, gate: Gate, scenario: str) -> None:
    async with disconnecting_proxy(live_server.url, b'"waiting"') as proxy:
        variables = {"RUNYARD_URL": live_server.url, "RUNYARD_PROXY": proxy.url, "RUNYARD_GATE": str(gate.path)}
        await run_scenario(node, "scenarios.mjs", scenario, variables)
    assert proxy.disconnected.is_set() == scenario.startswith("aBroken")
