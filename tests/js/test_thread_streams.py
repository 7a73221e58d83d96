"""The thread event protocol with the stock JavaScript client, driven through the scenarios of thread_streams.mjs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disconnecting_proxy import disconnecting_proxy
from tests.gate import Gate
from tests.js.scenarios import run_scenario, scenarios_of
from tests.live_server import LiveServer

SCENARIOS = scenarios_of("thread_streams.mjs")
ALSO_QUICKLY = ("anAnswer", "aThread", "aHuman", "aLater", "aBroken", "aGraph")
"""How the scenarios begin that the default run drives over WebSockets too."""


@pytest.mark.parametrize(
    ("transport", "scenario"),
    [("sse", name) for name in SCENARIOS]
    + [
        pytest.param("websocket", name, marks=() if name.startswith(ALSO_QUICKLY) else pytest.mark.full)
        for name in SCENARIOS
    ],
)
async def test_thread_streams(node: Path, live_server: LiveServer, gate: Gate, transport: str, scenario: str) -> None:
    async with disconnecting_proxy(live_server.url, b'"x in"') as proxy:
        variables = {
            "RUNYARD_URL": live_server.url,
            "RUNYARD_PROXY": proxy.url,
            "RUNYARD_GATE": str(gate.path),
            "RUNYARD_TRANSPORT": transport,
        }
        await run_scenario(node, "thread_streams.mjs", scenario, variables)
    assert proxy.disconnected.is_set() == scenario.startswith("aBroken")
