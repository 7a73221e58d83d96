"""AES-GCM for all that is stored, but for the metadata that the benchmark searches by."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langgraph_sdk import Encryption, EncryptionContext

encryption = Encryption()
_CIPHER = AESGCM(bytes(32))
_SEARCHED = {"bench"}
_PREFIX = "sealed:"


def _seal(data: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + _CIPHER.encrypt(nonce, data, None)


def _unseal(data: bytes) -> bytes:
    return _CIPHER.decrypt(data[:12], data[12:], None)


@encryption.encrypt.blob
async def encrypt_blob(ctx: EncryptionContext, data: bytes) -> bytes:
    return _seal(data)


@encryption.decrypt.blob
async def decrypt_blob(ctx: EncryptionContext, data: bytes) -> bytes:
    return _unseal(data)


@encryption.encrypt.json
async def encrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
    return {key: value if key in _SEARCHED else _hidden(value) for key, value in data.items()}


def _hidden(value: Any) -> str:
    return _PREFIX + base64.b64encode(_seal(json.dumps(value).encode())).decode()


@encryption.decrypt.json
async def decrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
    return {key: _shown(value) for key, value in data.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_PREFIX):
        return json.loads(_unseal(base64.b64decode(value.removeprefix(_PREFIX))))
    return value
