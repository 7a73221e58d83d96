"""Request bodies: received within bounds, parsed, held against their schemas, and made what handlers take.

That is the generated dataclass that a handler's `body` argument is annotated with, or, where that is a dict, the fields
that were given. Where it is bytes, the handler itself reads them, see `messages`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, Protocol, get_origin

import orjson

from runyard.handlers.contract.camel_case import read_twins
from runyard.handlers.contract.document import BATCH
from runyard.handlers.contract.faults import Checked
from runyard.handlers.contract.ids import id_fields
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.contract.models import field_picker, model_maker, schema_properties
from runyard.handlers.contract.violations import describe_violations
from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.scope import Receive, Scope
from runyard.runtime.errors import Invalid

_LARGE = 2**18
"""Bytes from which on a body is read in a pool thread: it takes 20 ms and more, and longer to say what is wrong."""

# Two, so that one that takes long does not hold up the other; more would only share the interpreter.
_readers = ThreadPoolExecutor(2, "body")


class ClientDisconnected(Exception):
    """The client closed the connection before it had sent its request."""


class Digest(Protocol):
    """Of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Takes more of what is digested."""

    def digest(self) -> bytes:
        """The digest of all that was taken."""


class BodyLimits(NamedTuple):
    """The bytes that bodies may have: those of batches, and all others."""

    body: int
    batch: int


async def in_pool_if_large(read: Callable[[bytes], Any], raw: bytes) -> Any:
    """What `read` makes of a body."""
    if len(raw) < _LARGE:
        return read(raw)
    return await asyncio.get_running_loop().run_in_executor(_readers, read, raw)


class Body:
    """What one operation takes as its body: so many bytes at most, for the handler as they are."""

    def __init__(self, limit: int, setting: str = "RUNYARD_BODY_LIMIT") -> None:
        """`setting`: the one that says the limit."""
        self.limit = limit
        self.setting = setting

    async def read(self, raw: bytes, digest: Digest | None = None) -> Any:
        """What the handler takes. `digest` is given what matters of it."""
        if digest is not None:
            digest.update(raw)
        return raw

    async def receive(self, scope: Scope, receive: Receive) -> bytes:
        """All bytes of the body, up to the limit. What is refused is not read: the connection drops it. Raises
        `ClientDisconnected`, and `HttpError` for what is refused."""
        for name, value in scope["headers"]:
            if name == b"content-encoding" and value.lower() not in (b"identity", b""):
                raise HttpError(415, "Compressed request bodies are not supported; send the body as it is")
            if name == b"content-length" and value.isdigit() and int(value) > self.limit:
                raise self._too_large()
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self.limit:
                raise self._too_large()
            parts.append(part)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> HttpError:
        return HttpError(
            413, f"The body is larger than {self.limit} bytes; send less at once, or raise {self.setting} on the server"
        )


class BodyContract(Body):
    """A body that fits a schema, and the class that it becomes."""

    def __init__(self, schema: dict[str, Any], schemas: Mapping[str, Any], target: Any, limits: BodyLimits) -> None:
        is_batch = schema.get("$ref", "").endswith(f"/{BATCH}")
        if is_batch:
            super().__init__(limits.batch, "RUNYARD_BATCH_BODY_LIMIT")
        else:
            super().__init__(limits.body)
        self.twins, schema = read_twins(schema, schemas)
        self.schema = Checked(schema, schemas)
        properties = schema_properties(schema, schemas)
        self.ids = id_fields(properties)
        self.make = field_picker(properties) if get_origin(target) is dict else model_maker(target)

    async def read(self, raw: bytes, digest: Digest | None = None) -> Any:
        """What the handler takes. The content type does not matter: some clients send JSON as text/plain. `digest` is
        given the JSON, however it was written: the order of keys and white space do not count."""
        return await in_pool_if_large(partial(self._made, digest=digest), raw)

    def _made(self, raw: bytes, digest: Digest | None) -> Any:
        value = parse_json(raw)
        if digest is not None:
            digest.update(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
        if self.twins is not None and isinstance(value, list):
            for item in value:
                self.twins.complete(item)
        if self.ids and isinstance(value, dict):
            for name in self.ids.keys() & value.keys():
                value[name] = self.ids[name](value[name])
        if not self.schema.is_valid(value):
            raise Invalid(describe_violations(self.schema, value, "body"))
        return self.make(value)
