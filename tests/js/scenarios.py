"""Runs scenarios in JavaScript: exported functions of a file beside this one, which fail by throwing."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent


def scenarios_of(file: str) -> list[str]:
    """The names of the scenarios of a file."""
    return re.findall(r"^export async function (\w+)", (HERE / file).read_text(), re.MULTILINE)


async def run_scenario(node: Path, file: str, name: str, variables: Mapping[str, str]) -> None:
    """Fails with what the scenario said, if it fails or takes longer than two minutes."""
    process = await asyncio.create_subprocess_exec(
        node,
        "--experimental-websocket",  # before Node 22
        "--disable-warning=ExperimentalWarning",
        HERE / "run_scenario.mjs",
        file,
        name,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 120)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
