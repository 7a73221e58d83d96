"""Runs a program of somebody else's: bounded in time and in what is kept of its words."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

KEPT = 64_000
"""Bytes of what a program says that are kept, from the end."""


class BuildFailed(Exception):
    """Components could not be built. The text says why, and the remedy where there is one."""


async def run(command: Sequence[str | Path], *, folder: Path, variables: Mapping[str, str], seconds: float) -> str:
    """What the program said, on both streams. Raises BuildFailed when it does not start, takes longer, or fails.

    variables: on top of the process's own environment, without its settings. What it has started ends with it.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**plain, **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise BuildFailed(f"{command[0]} does not start: {error.strerror or error}") from None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(seconds):
            said = await _last_words(process.stdout)
            code = await process.wait()
    except TimeoutError:
        raise BuildFailed(f"{Path(command[0]).name} has not ended after {seconds:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if code:
        raise BuildFailed(said.strip() or f"{Path(command[0]).name} ended with exit code {code}")
    return said


async def _last_words(stream: asyncio.StreamReader) -> str:
    words = b""
    while part := await stream.read(KEPT):
        words = (words + part)[-KEPT:]
    return words.decode(errors="replace")
