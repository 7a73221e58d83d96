"""Scenario of encryption: what the handlers of a project cost."""

from __future__ import annotations

from scripts.bench_suite import interactive, rates
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server

_SHOWN = ("noop_rate", "noop_kept_rate", "chain_rate", "wait_1_p50", "wait_32_rate")


async def encryption(server: Server, effort: Effort) -> Figures:
    """noop, chain and wait with all that is stored encrypted by AES-GCM, metadata too."""
    figures = await rates.noop(server, effort)
    figures |= await rates.chain(server, effort)
    figures |= await interactive.wait(server, effort)
    return {f"encrypted_{name}": figures[name] for name in _SHOWN}
