"""Values as they are stored: sealed, that is encrypted and marked as such, with the context to open them in.

What is not marked is plain: it was stored before there was encryption, or nobody but the server has given it.

A blob begins with `BLOB`. In JSON, what is sealed is an object with the one key `MARK`: a list of the context and the
encrypted bytes in base64, or, for a value that `encrypt.json` has changed, an object with the context and that value.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from runyard.runtime.encryption.handlers import Context, Decrypted, Handlers, Subject
from runyard.runtime.errors import EncryptionFailed, Invalid

MARK: Final = "__sealed__"
BLOB: Final = b"\xc1RY1"
"""No msgpack and no JSON begins with this byte."""
_JSON: Final = b'{"__sealed__":['
_TEXT: Final = _JSON.decode()
_ERROR: Final = b'{"__error__":'
"""What storage knows the answer of a failed run by; it stays in front."""

Replace = Callable[[Any, Any], None]
"""Is told of what is stored and what is to be stored in its place: the handler has another key by now."""

_SYSTEM: Final = frozenset(
    (
        *("thread_id", "run_id", "assistant_id", "graph_id", "checkpoint_id", "task_id", "cron_id"),
        *("created_by", "source", "step", "parents", "run_attempt", "langgraph_version", "langgraph_api_version"),
        *("langgraph_plan", "langgraph_host", "langgraph_api_url", "langgraph_request_id"),
        *("langgraph_auth_user_id", "langgraph_auth_permissions"),
    )
)
"""Keys that handlers for JSON never see: the server itself goes by them."""


def is_blob(data: bytes) -> bool:
    """Whether a blob is sealed."""
    return data.startswith(BLOB)


def is_json(data: bytes) -> bool:
    """Whether JSON is sealed."""
    return data.startswith((_JSON, _ERROR + _JSON))


def is_value(value: Any) -> bool:
    """Whether a value in JSON is sealed."""
    return isinstance(value, dict) and MARK in value


def has_sealed(value: Any) -> bool:
    """Whether something is sealed in an object that `seal_fields` made."""
    if isinstance(value, dict):
        return MARK in value or any(has_sealed(item) for item in value.values())
    return isinstance(value, list) and any(has_sealed(item) for item in value)


def context_of(value: Mapping[str, Any]) -> Context:
    """The context of a sealed value."""
    sealed = value[MARK]
    context: Context = sealed[0] if isinstance(sealed, list) else sealed["context"]
    return context


class Sealing:
    """Seals, and opens again. All methods run on the loop of the handlers and raise EncryptionFailed."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers

    # Bytes

    async def seal_blob(self, context: Context, subject: Subject, data: bytes) -> bytes:
        """For columns of bytes that storage does not look into."""
        plain = orjson.dumps(context)
        encrypted = await self.handlers.encrypt_blob(context, subject, data)
        return b"%b%b%b%b" % (BLOB, len(plain).to_bytes(4, "little"), plain, encrypted)

    async def open_blob(self, subject: Subject, data: bytes, replace: Replace | None = None) -> bytes:
        """What `seal_blob` was given; what is not sealed as it is."""
        if not data.startswith(BLOB):
            return data
        begin = len(BLOB) + 4
        end = begin + int.from_bytes(data[len(BLOB) : begin], "little")
        found = await self.handlers.decrypt_blob(orjson.loads(data[begin:end]), subject, data[end:])
        if found.replacement is not None and replace is not None:
            replace(data, data[:end] + found.replacement)
        plain: bytes = found.plain
        return plain

    # JSON as a whole

    async def seal_json(self, context: Context, subject: Subject, data: bytes) -> bytes:
        """JSON for JSON. An empty object, null and the frame of an error are nobody's secret and stay."""
        if data in (b"{}", b"null", b"[]"):
            return data
        if data.startswith(_ERROR):
            return b"%b%b}" % (_ERROR, await self.seal_json(context, subject, data[len(_ERROR) : -1]))
        encrypted = await self.handlers.encrypt_blob(context, subject, data)
        return b'%b%b,"%b"]}' % (_JSON, orjson.dumps(context), base64.b64encode(encrypted))

    async def open_json(self, subject: Subject, data: bytes, replace: Replace | None = None) -> bytes:
        """What `seal_json` was given; what is not sealed as it is."""
        if data.startswith(_ERROR + _JSON):
            return b"%b%b}" % (_ERROR, await self.open_json(subject, data[len(_ERROR) : -1], replace))
        if not data.startswith(_JSON):
            return data
        return await self._open_list(subject, orjson.loads(data)[MARK], replace)

    async def seal_value(self, context: Context, subject: Subject, value: Any) -> Any:
        """As `seal_json`, for a value that is to be encoded."""
        if not value:
            return value
        return orjson.loads(await self.seal_json(context, subject, orjson.dumps(value)))

    async def open_value(self, subject: Subject, value: Any, replace: Replace | None = None) -> Any:
        """What `seal_value` was given, or what is read of what `seal_json` has made."""
        if not isinstance(value, dict):
            return value
        if "__error__" in value and is_value(value["__error__"]):
            error = await self._open_list(subject, value["__error__"][MARK], replace)
            return orjson.loads(b"%b%b}" % (_ERROR, error))
        if not isinstance(value.get(MARK), list):
            return value
        return orjson.loads(await self._open_list(subject, value[MARK], replace))

    async def seal_text(self, context: Context, subject: Subject, text: str | None) -> str | None:
        """Text for text, which is no JSON otherwise."""
        if text is None:
            return None
        return (await self.seal_json(context, subject, orjson.dumps(text))).decode()

    async def open_text(self, subject: Subject, text: str | None, replace: Replace | None = None) -> str | None:
        """What `seal_text` was given; what is not sealed as it is."""
        if text is None or not text.startswith(_TEXT):
            return text
        found: str = orjson.loads(await self.open_json(subject, text.encode(), replace))
        return found

    async def _open_list(self, subject: Subject, sealed: list[Any], replace: Replace | None) -> bytes:
        context, encoded = sealed
        try:
            encrypted = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise EncryptionFailed(f"{subject} is stored as encrypted, but not as this server encrypts it") from None
        found = await self.handlers.decrypt_blob(context, subject, encrypted)
        if found.replacement is not None and replace is not None:
            replace(encoded, base64.b64encode(found.replacement).decode())
        plain: bytes = found.plain
        return plain

    # Objects that are searched by their keys

    async def seal_fields(self, context: Context, subject: Subject, data: Mapping[str, Any]) -> dict[str, Any]:
        """The object with those values sealed that `encrypt.json` changes; it is asked about each object in what it
        leaves as it is, too. Raises Invalid for a value that looks like a sealed one."""
        if MARK in data:
            raise Invalid(f"{subject.field}: {MARK} is reserved; give the key another name")
        own = {key: value for key, value in data.items() if not _is_system(key)}
        encrypted: dict[str, Any] = {}
        if own and self.handlers.has_json:
            # A copy: a handler that changes an object within would change what it is compared with.
            encrypted = await self.handlers.encrypt_json(context, subject, orjson.loads(orjson.dumps(own)))
        result: dict[str, Any] = {}
        for key, value in data.items():
            if key in encrypted and not _same(encrypted[key], value):
                _check_json(subject, encrypted[key])
                result[key] = {MARK: {"context": {**context}, "value": encrypted[key]}}
            else:
                result[key] = await self._seal_within(context, subject, value)
        return result

    async def _seal_within(self, context: Context, subject: Subject, value: Any) -> Any:
        if isinstance(value, dict):
            return await self.seal_fields(context, subject, value)
        if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            return [await self._seal_within(context, subject, item) for item in value]
        return value

    async def open_fields(
        self, subject: Subject, data: Mapping[str, Any], replace: Replace | None = None
    ) -> dict[str, Any]:
        """What `seal_fields` was given. Values that were sealed in different contexts may have come together."""
        sealed: dict[bytes, dict[str, Any]] = {}
        for key, value in data.items():
            if isinstance(value, dict) and isinstance(value.get(MARK), dict):
                context = orjson.dumps(value[MARK]["context"], option=orjson.OPT_SORT_KEYS)
                sealed.setdefault(context, {})[key] = value[MARK]["value"]
        hidden = {key for values in sealed.values() for key in values}
        result = {
            key: value if key in hidden else await self._open_within(subject, value, replace)
            for key, value in data.items()
        }
        plain = {key: value for key, value in result.items() if key not in hidden and not _is_system(key)}
        for encoded, values in sealed.items():
            context = orjson.loads(encoded)
            found = await self.handlers.decrypt_json(context, subject, {**plain, **values})
            self._replace_fields(found, data, values, replace)
            result |= {key: found.plain[key] for key in values}
        return result

    async def _open_within(self, subject: Subject, value: Any, replace: Replace | None) -> Any:
        if isinstance(value, dict):
            return await self.open_fields(subject, value, replace)
        if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            return [await self._open_within(subject, item, replace) for item in value]
        return value

    @staticmethod
    def _replace_fields(
        found: Decrypted, data: Mapping[str, Any], values: Mapping[str, Any], replace: Replace | None
    ) -> None:
        """With its mark: other values, which are nobody's secret, may look like the one that is sealed."""
        if found.replacement is None or replace is None:
            return
        for key, value in values.items():
            if not _same(found.replacement[key], value):
                replace(data[key], {MARK: {**data[key][MARK], "value": found.replacement[key]}})

    async def refuse_sealed(
        self, context: Context, subject: Subject, asked: Mapping[str, Any] | None, place: str
    ) -> None:
        """Raises Invalid when something is looked for by a value that is sealed where it is stored."""
        if not asked or not self.handlers.has_json or all(map(_is_system, asked)):
            return
        sealed = await self.seal_fields(context, subject, asked)
        hidden = sorted(key for key in sealed if has_sealed(sealed[key]))
        if hidden:
            raise Invalid(
                f"{place}.{hidden[0]}: the project's encryption encrypts this value, so nothing can be found by it; "
                "leave it out, or have @encryption.encrypt.json leave it as it is"
            )


def _is_system(key: str) -> bool:
    return key in _SYSTEM or key.startswith("__pregel")


def _same(one: Any, other: Any) -> bool:
    """JSON tells true from 1, Python does not."""
    return type(one) is type(other) and bool(one == other)


def _check_json(subject: Subject, value: Any) -> None:
    try:
        orjson.dumps(value)
    except TypeError:
        raise EncryptionFailed(f"@encryption.encrypt.json gave a value for {subject} that is no JSON") from None
