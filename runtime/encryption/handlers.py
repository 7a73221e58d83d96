"""The handlers of a project's own `Encryption` object (`encryption.path` of langgraph.json), called with care."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from runyard.runtime.auth.cancellation import is_cancelled
from runyard.runtime.errors import ConfigError, EncryptionFailed

logger = logging.getLogger(__name__)

Context = Mapping[str, Any]
"""What goes with encrypted data, in plain text, so that it can be decrypted: the metadata of an `EncryptionContext`."""


class Subject(NamedTuple):
    """What is encrypted: the kind of thing that it belongs to, and which field of it."""

    model: str
    field: str

    def __str__(self) -> str:
        return f"{self.model}.{self.field}"


class Decrypted(NamedTuple):
    """plain: what was encrypted. replacement: what is to be stored instead from now on; None: it stays as it is."""

    plain: Any
    replacement: Any


class Handlers:
    """Encrypts and decrypts. Every method raises EncryptionFailed, which names the handler."""

    def __init__(self, encryption: Any, place: str, *, timeout: float) -> None:
        """`encryption`: the `langgraph_sdk.Encryption` object. `place` names it in errors. `timeout`: seconds that each
        call of a handler gets.

        Raises ConfigError when it is none, or has handlers that cannot protect what they are for.
        """
        self._types: Any = getattr(encryption, "types", None)
        if not hasattr(encryption, "_blob_encryptor") or self._types is None:
            raise ConfigError(
                f"{place} is of type {type(encryption).__name__}; it must be an Encryption of langgraph_sdk"
            )
        self._place = place
        self._timeout = timeout
        self._encrypt_blob = _needed(encryption, "_blob_encryptor", place, "encrypt.blob")
        self._decrypt_blob = _needed(encryption, "_blob_decryptor", place, "decrypt.blob")
        self._encrypt_json = encryption._json_encryptor
        self._decrypt_json = encryption._json_decryptor
        if self._encrypt_json is not None:
            _needed(encryption, "_json_decryptor", place, "decrypt.json")
        self._context = encryption._context_handler
        if not self.has_json:
            logger.warning(
                "%s has no @encryption.encrypt.json: metadata and items of the store are stored in plain text", place
            )

    @property
    def has_json(self) -> bool:
        """Whether there are handlers for what is searched by its keys."""
        return self._encrypt_json is not None

    def become(self, other: Handlers) -> None:
        """Calls the handlers of `other` from now on: the project's code has changed."""
        vars(self).update(vars(other))

    async def context(self, user: Any, given: Context) -> Context:
        """The context of a request, by who makes it and what its header says."""
        if self._context is None:
            return given
        context = self._types.EncryptionContext(metadata={**given})
        answer = await self._call("context", self._context, (user, context), Subject("request", "context"))
        if not isinstance(answer, dict):
            raise self._wrong("context", f"gave a {type(answer).__name__}, not a dict")
        return answer

    async def encrypt_blob(self, context: Context, subject: Subject, data: bytes) -> bytes:
        """Bytes for bytes."""
        answer = await self._ask("encrypt.blob", self._encrypt_blob, context, subject, data)
        if not isinstance(answer, bytes):
            raise self._wrong("encrypt.blob", f"gave a {type(answer).__name__}, not bytes")
        return answer

    async def decrypt_blob(self, context: Context, subject: Subject, data: bytes) -> Decrypted:
        """What `encrypt_blob` was given."""
        answer = await self._ask("decrypt.blob", self._decrypt_blob, context, subject, data)
        found = self._decrypted(answer)
        if not isinstance(found.plain, bytes) or not isinstance(found.replacement, bytes | None):
            raise self._wrong("decrypt.blob", "gave something else than bytes")
        return found

    async def encrypt_json(self, context: Context, subject: Subject, data: dict[str, Any]) -> dict[str, Any]:
        """An object with the same keys. `data` is the handler's to change; as it is where there is no handler."""
        if self._encrypt_json is None:
            return data
        keys = data.keys() | set()
        answer = await self._ask("encrypt.json", self._encrypt_json, context, subject, data)
        self._check_keys("encrypt.json", answer, keys)
        return dict(answer)

    async def decrypt_json(self, context: Context, subject: Subject, data: dict[str, Any]) -> Decrypted:
        """What `encrypt_json` was given, and an object in place of `data`."""
        if self._decrypt_json is None:
            raise EncryptionFailed(f"{self._place}: {subject} is encrypted, and there is no @encryption.decrypt.json")
        keys = data.keys() | set()
        found = self._decrypted(await self._ask("decrypt.json", self._decrypt_json, context, subject, data))
        self._check_keys("decrypt.json", found.plain, keys)
        if found.replacement is not None:
            self._check_keys("decrypt.json", found.replacement, keys)
        return found

    def _decrypted(self, answer: Any) -> Decrypted:
        result = getattr(self._types, "DecryptResult", None)  # earlier versions of the SDK have none
        if result is not None and isinstance(answer, result):
            return Decrypted(answer.plaintext, answer.replacement)
        return Decrypted(answer, None)

    def _check_keys(self, name: str, answer: Any, keys: set[str]) -> None:
        if not isinstance(answer, dict):
            raise self._wrong(name, f"gave a {type(answer).__name__}, not a dict")
        if answer.keys() != keys:
            raise self._wrong(name, "gave other keys than it was given: only values may change")

    async def _ask(
        self, name: str, handler: Callable[..., Awaitable[Any]], context: Context, subject: Subject, data: Any
    ) -> Any:
        given = self._types.EncryptionContext(model=subject.model, field=subject.field, metadata={**context})
        return await self._call(name, handler, (given, data), subject)

    async def _call(
        self, name: str, handler: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...], subject: Subject
    ) -> Any:
        try:
            async with asyncio.timeout(self._timeout) as limit:
                return await handler(*arguments)
        except BaseException as error:  # user code may raise anything, SystemExit and KeyboardInterrupt too
            if isinstance(error, TimeoutError) and limit.expired():
                raise EncryptionFailed(
                    f"{self._place}: @encryption.{name} took longer than {self._timeout:g} s for {subject}"
                ) from None
            if is_cancelled(error):
                raise
            logger.error("%s: @encryption.%s failed for %s", self._place, name, subject, exc_info=error)
            # Not with its text, which may be of what was encrypted.
            raise EncryptionFailed(
                f"{self._place}: @encryption.{name} failed for {subject} with {type(error).__name__}; the server's log "
                "has the rest"
            ) from None

    def _wrong(self, name: str, what: str) -> EncryptionFailed:
        return EncryptionFailed(f"{self._place}: @encryption.{name} {what}")


def _needed(encryption: Any, attribute: str, place: str, name: str) -> Callable[..., Awaitable[Any]]:
    handler: Callable[..., Awaitable[Any]] | None = getattr(encryption, attribute, None)
    if handler is None:
        raise ConfigError(f"{place} has no handler for {name}; register one with @encryption.{name}")
    return handler
