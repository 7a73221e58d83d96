"""Embeddings that cost next to nothing and mean nothing: what is measured is the store."""

import hashlib

DIMS = 384


def embed(texts: list[str]) -> list[list[float]]:
    """A vector of `DIMS` numbers for each text, the same for the same text."""
    return [[(byte - 127.5) / 127.5 for byte in hashlib.shake_128(text.encode()).digest(DIMS)] for text in texts]
