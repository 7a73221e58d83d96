"""AES-GCM with a key for each tenant. VAULT_KEYS names the keys that there are: the first encrypts, what was encrypted
with another one is encrypted anew when it is read."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langgraph_sdk import Encryption, EncryptionContext
from langgraph_sdk.encryption.types import DecryptResult

encryption = Encryption()

NAMES = os.environ.get("VAULT_KEYS", "first").split(",")
SEARCHED = {"owner", "tenant", "label", "custom_id"}
PREFIX = "vault:"


def cipher(name: str) -> AESGCM:
    return AESGCM(hashlib.sha256(name.encode()).digest())


CIPHERS = {name: cipher(name) for name in NAMES}


def tenant(ctx: EncryptionContext) -> bytes:
    broken = ctx.metadata.get("broken")
    if broken == "always":
        raise ValueError(f"{ctx.model}.{ctx.field} of SECRET: no such tenant")
    return str(ctx.metadata.get("tenant")).encode()


async def asked_service(ctx: EncryptionContext) -> None:
    """Some tenants' keys are asked for elsewhere."""
    if ctx.metadata.get("remote"):
        await asyncio.sleep(0)


def sealed(ctx: EncryptionContext, data: bytes) -> bytes:
    nonce = os.urandom(12)
    return NAMES[0].encode() + b"\0" + nonce + CIPHERS[NAMES[0]].encrypt(nonce, data, tenant(ctx))


def opened(ctx: EncryptionContext, data: bytes) -> tuple[bytes, bool]:
    """What was encrypted, and whether that was with an old key."""
    name, _, rest = data.partition(b"\0")
    plain = CIPHERS[name.decode()].decrypt(rest[:12], rest[12:], tenant(ctx))
    return plain, name.decode() != NAMES[0]


@encryption.context
async def context(user: Any, ctx: EncryptionContext) -> dict[str, Any]:
    """What somebody was authenticated as counts, whatever their header says."""
    return {**ctx.metadata, "tenant": user["tenant"]} if user.is_authenticated else ctx.metadata


@encryption.encrypt.blob
async def encrypt_blob(ctx: EncryptionContext, data: bytes) -> bytes:
    await asked_service(ctx)
    return sealed(ctx, data)


@encryption.decrypt.blob
async def decrypt_blob(ctx: EncryptionContext, data: bytes) -> bytes | DecryptResult[bytes]:
    await asked_service(ctx)
    plain, old = opened(ctx, data)
    return DecryptResult(plain, sealed(ctx, plain)) if old else plain


@encryption.encrypt.json
async def encrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
    await asked_service(ctx)
    return {key: value if key in SEARCHED or value is None else hidden(ctx, value) for key, value in data.items()}


def hidden(ctx: EncryptionContext, value: Any) -> str:
    return PREFIX + base64.b64encode(sealed(ctx, json.dumps(value).encode())).decode()


@encryption.decrypt.json
async def decrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any] | DecryptResult[dict[str, Any]]:
    await asked_service(ctx)
    plain, replacement, rotated = dict(data), dict(data), False
    for key, value in data.items():
        if isinstance(value, str) and value.startswith(PREFIX):
            found, old = opened(ctx, base64.b64decode(value.removeprefix(PREFIX)))
            plain[key] = json.loads(found)
            rotated |= old
            if old:
                replacement[key] = hidden(ctx, plain[key])
    return DecryptResult(plain, replacement) if rotated else plain
