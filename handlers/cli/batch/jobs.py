"""What `runyard batch` does with the server: checks assistants, submits, waits for outcomes."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from runyard.handlers.cli.batch.client import BatchClient, BatchRefused, BatchTooLarge
from runyard.handlers.cli.batch.input_file import Item, Problem, batches
from runyard.handlers.cli.batch.progress import print_message
from runyard.handlers.cli.batch.results import Result

CONNECTIONS = 128
"""Runs that are waited for at once: about as many as a server executes at once."""


async def unknown_assistants(client: BatchClient, items: list[Item]) -> list[Problem]:
    """The lines that name an assistant which the server does not have."""
    unknown: set[str] = set()
    for name in dict.fromkeys(item.assistant_id for item in items):
        if not await client.has_assistant(name):
            unknown.add(name)
    if not unknown:
        return []
    known = ", ".join(await client.graph_names())
    return [
        Problem(line=item.line, text=f"unknown assistant {item.assistant_id!r}; the server's graphs: {known}")
        for item in items
        if item.assistant_id in unknown
    ]


async def submit_items(client: BatchClient, items: list[Item], accepted: list[Result]) -> None:
    """Submits all items in as few batches as the server takes and adds their runs to `accepted`, in order.

    Each batch is accepted as a whole or refused as a whole. Raises `BatchRefused` at the first that is refused;
    what was accepted before stands in `accepted` and runs.
    """
    waiting = deque(batches(items, await client.batch_limit()))
    if len(waiting) > 1:
        print_message(f"{len(items):,} runs are more than one request takes: sending {len(waiting)} batches")
    while waiting:
        batch = waiting.popleft()
        try:
            accepted += await client.submit(batch)
        except BatchTooLarge:
            half = len(batch) // 2
            waiting.extendleft((batch[half:], batch[:half]))
            print_message(f"{len(batch):,} runs are more than the server takes at once: sending smaller batches")
        except BatchRefused as error:
            if accepted:
                print_message(f"The first {len(accepted):,} runs were accepted in earlier batches, and run.")
            raise BatchRefused(f"{error.message}; this batch was not accepted") from None


async def follow_runs(client: BatchClient, runs: list[Result], ended: Callable[[Result], None]) -> None:
    """Calls `ended` with the outcome of each of `runs`, in the order in which they are collected.

    Runs start in the order of the batch, so waiting for a window of them in that order misses nothing for
    long. Raises `ServerUnreachable` when the server does not come back.
    """
    waiting = iter(runs)
    collectors = [asyncio.create_task(_collect(client, waiting, ended)) for _ in range(min(CONNECTIONS, len(runs)))]
    try:
        await asyncio.gather(*collectors)
    finally:
        for collector in collectors:
            collector.cancel()
        await asyncio.gather(*collectors, return_exceptions=True)


async def _collect(client: BatchClient, waiting: Iterator[Result], ended: Callable[[Result], None]) -> None:
    connection = client.connection()
    try:
        for run in waiting:
            ended(await client.outcome(run, connection))
    finally:
        await connection.close()
