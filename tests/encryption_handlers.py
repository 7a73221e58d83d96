"""Handlers for encryption that are no protection, and quick: every byte is turned around, by a key of one byte."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from typing import Any

import orjson

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langgraph_sdk import Encryption, EncryptionContext

PREFIX = "turned:"


def turned(data: bytes, key: int = 0x5A) -> bytes:
    """The other one of plain and encrypted bytes."""
    return bytes(byte ^ key for byte in data)


def encryption(hidden: Callable[[str], bool]) -> Encryption:
    """`hidden`: whether the value of such a key of metadata, or of an item, is encrypted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Encryption()

    @made.encrypt.blob
    async def encrypt_blob(_: EncryptionContext, data: bytes) -> bytes:
        return turned(data)

    @made.decrypt.blob
    async def decrypt_blob(_: EncryptionContext, data: bytes) -> bytes:
        return turned(data)

    @made.encrypt.json
    async def encrypt_json(_: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
        return {key: _hide(value) if hidden(key) else value for key, value in data.items()}

    @made.decrypt.json
    async def decrypt_json(_: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
        return {key: _show(value) for key, value in data.items()}

    return made


def _hide(value: Any) -> str:
    return PREFIX + base64.b64encode(turned(orjson.dumps(value))).decode()


def _show(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(PREFIX):
        return orjson.loads(turned(base64.b64decode(value.removeprefix(PREFIX))))
    return value
