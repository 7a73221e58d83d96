"""Embeddings that know four topics, and refuse some texts."""

from __future__ import annotations

import asyncio

from langchain_core.embeddings import Embeddings

TOPICS = (
    {"lake", "river", "sea", "water", "swim"},
    {"dumplings", "bread", "eat", "eats", "soup"},
    {"train", "bus", "travel", "road"},
)


def vector(text: str, dims: int = 4) -> list[float]:
    words = set(text.lower().replace('"', " ").replace("?", " ").split())
    if "unspeakable" in words:
        raise ValueError("there are no words for it")
    counts = [float(len(words & topic)) for topic in TOPICS]
    return [*counts, 0.1, *[0.0] * (dims - 4)]


def sync(texts: list[str]) -> list[list[float]]:
    return [vector(text) for text in texts]


async def asynchronous(texts: list[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return [vector(text) for text in texts]


async def wider(texts: list[str]) -> list[list[float]]:
    return [vector(text, 6) for text in texts]


class Meanings(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return sync(texts)

    def embed_query(self, text: str) -> list[float]:
        return vector(text)


embeddings = Meanings()
nothing = None
