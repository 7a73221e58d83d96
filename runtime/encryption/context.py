"""The context of a request as its header has it: a JSON object in base64."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import orjson

from runyard.runtime.encryption.handlers import Context
from runyard.runtime.errors import EncryptionFailed, Invalid

HEADER: Final = "X-Encryption-Context"
LARGEST_CONTEXT: Final = 4096
"""Bytes of a context as JSON: each value that is encrypted in it has it beside it."""


def read_context(header: str) -> dict[str, Any]:
    """Raises Invalid."""
    try:
        context = orjson.loads(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError):
        context = None
    if not isinstance(context, dict):
        raise Invalid(f"{HEADER}: must be a JSON object in base64")
    if len(header) > LARGEST_CONTEXT * 4 // 3 + 4:
        raise Invalid(f"{HEADER}: has more than {LARGEST_CONTEXT:,} bytes, which are stored with each value")
    return context


def context_text(context: Context) -> str:
    """What `read_context` reads."""
    return base64.b64encode(orjson.dumps({**context})).decode()


def check_context(context: Context) -> None:
    """Raises EncryptionFailed for one that a handler gave and that cannot be stored."""
    try:
        size = len(orjson.dumps({**context}))
    except TypeError:
        raise EncryptionFailed("encryption: @encryption.context gave what is no JSON") from None
    if size > LARGEST_CONTEXT:
        raise EncryptionFailed(
            f"encryption: @encryption.context gave {size:,} bytes as JSON; at most {LARGEST_CONTEXT:,} are stored with "
            "each value"
        )
