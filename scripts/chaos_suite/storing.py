"""Items of the store that clients write, one version after the other, and what is there at the end."""

from __future__ import annotations

import asyncio
from typing import Any

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.stories import Evidence, ItemStory
from scripts.chaos_suite.visitor import Visitor

_VERSIONS = 6


async def storing(visitor: Visitor) -> None:
    """An item is written again and again, at whichever server's turn it is."""
    story = ItemStory(key=visitor.tag())
    visitor.evidence.items.append(story)
    for version in range(visitor.rng.randint(1, _VERSIONS)):
        body = {"namespace": ["chaos"], "key": story.key, "value": {"version": version}}
        answer = await visitor.client.ask("PUT", "/store/items", body)
        if answer is None:
            story.unknown.add(version)
        elif answer.status_code < 300:
            story.kept = version
        await visitor.pause(0.3)


async def read_items(client: Client, evidence: Evidence) -> None:
    """The versions that are there."""
    await asyncio.gather(*(_read(client, story) for story in evidence.items))


async def _read(client: Client, story: ItemStory) -> None:
    answer = await client.insist(f"/store/items?namespace=chaos&key={story.key}")
    if answer is not None and answer.status_code < 500:
        item: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        story.found = [] if item is None else [item["value"]["version"]]
