"""Text about a request, without the credentials that it came with."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from runyard.runtime.auth.requests import IncomingRequest

REDACTED = "[redacted]"

_HEADERS = (b"authorization", b"proxy-authorization", b"cookie", b"x-api-key", b"x-service-key", b"x-auth-token")
_SHORTEST = 4
"""Characters: what is shorter protects nothing, and would be found all over a text."""


def redacted(text: str, request: IncomingRequest) -> str:
    """`text` with what credentials the request has replaced: headers that hold some, and values in its query."""
    for secret in sorted({*_secrets(request)}, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, REDACTED)
    return text


def _secrets(request: IncomingRequest) -> Iterator[str]:
    for name in _HEADERS:
        value = request.header(name)
        if value is None:
            continue
        yield value
        kind, _, secret = value.partition(" ")
        yield secret.strip()
        if name == b"cookie":
            for cookie in value.split(";"):
                yield cookie.partition("=")[2].strip()
        elif kind.lower() == "basic":
            yield from _basic(secret)
    # A project may take a token from there; what is in a query is in no log of ours otherwise.
    yield from request.query_params.values()


def _basic(encoded: str) -> Iterator[str]:
    try:
        pair = base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    yield pair
    yield pair.partition(":")[2]
