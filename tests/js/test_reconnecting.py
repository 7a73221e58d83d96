"""The stock JavaScript client at several API servers: a stream that broke is resumed at another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disconnecting_proxy import disconnecting_proxy
from tests.gate import Gate
from tests.js.scenarios import run_scenario, scenarios_of
from tests.live_server import PROJECT, KeptServer

pytestmark = pytest.mark.full

RUNS, THREADS = "scenarios.mjs", "thread_streams.mjs"


@pytest.mark.parametrize(
    ("file", "scenario", "transport"),
    [
        *((RUNS, name, "sse") for name in scenarios_of(RUNS) if name.startswith("aBroken")),
        *(
            (THREADS, name, transport)
            for name in scenarios_of(THREADS)
            if name.startswith("aBroken")
            for transport in ("sse", "websocket")
        ),
    ],
)
async def test_a_broken_stream_goes_on_at_another_server(
    node: Path, kept_server: KeptServer, gate: Gate, file: str, scenario: str, transport: str
) -> None:
    cluster = kept_server(PROJECT, "cluster", 2)
    async with disconnecting_proxy(cluster.url, b'"waiting"' if file == RUNS else b'"x in"') as proxy:
        variables = {
            "RUNYARD_URL": cluster.url,
            "RUNYARD_PROXY": proxy.url,
            "RUNYARD_GATE": str(gate.path),
            "RUNYARD_TRANSPORT": transport,
        }
        await run_scenario(node, file, scenario, variables)
    assert proxy.disconnected.is_set()
