"""Requests that code which this server itself executes makes to it, by a client without an address.

They come over a socket of their own, which only the server's user can reach, and name their caller in a header that is
signed with a secret of this one start of the server. Anywhere else the header says nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

HEADER: Final = "x-runyard-caller"
LIFETIME: Final = 60.0
"""Seconds in which a signed caller is good for a request: it is made for one."""


class Slot(Protocol):
    """The place that a run has among those that its worker executes at once."""

    def check(self) -> None:
        """For a run that starts another one. Raises RuntimeError when too many runs wait for others already."""

    def look(self) -> None:
        """The run looks at another one, and may do so until that has ended: as `lend`, for some seconds."""

    def lend(self) -> Callable[[], None]:
        """The run waits for another one, which may need a place: gives the function that ends the wait, to be called
        once. From any thread, also for several waits at once. Raises RuntimeError when too many runs wait already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """For whom the code at hand works.

    identity, user: as those of a `Scope`; None: nobody in particular, who may do everything.
    run_id, thread_id: the run that it belongs to; None: the server's own code, such as an authentication handler.
    temporary: whether that run's thread is removed with it.
    request_id: what the request is called that made the run.
    encryption: the context in which what the run writes is encrypted, and so what is written by its requests.
    slot: the run's place in its worker; None outside of workers.
    strange: what it asks is answered as to a stranger, who is known by the credentials of the request alone.
    """

    identity: str | None = None
    user: str | None = field(default=None, repr=False)
    run_id: str | None = None
    thread_id: str | None = None
    temporary: bool = False
    request_id: str | None = None
    encryption: Mapping[str, Any] | None = field(default=None, repr=False)
    slot: Slot | None = field(default=None, repr=False)
    strange: bool = False

    def with_credentials(self) -> Caller:
        """The same code, with a request that brings credentials of its own."""
        return replace(self, identity=None, user=None, strange=True)


SYSTEM: Final = Caller()
"""Code of the project that works for the server and not for a run."""

acting_for: ContextVar[Caller | None] = ContextVar("runyard_caller", default=None)
"""None: nobody knows; such code has to bring credentials as a stranger has."""


def is_made_by_run() -> bool:
    """Whether a run makes the request at hand."""
    caller = acting_for.get()
    return caller is not None and caller.run_id is not None


def is_of_own_thread(thread_id: str) -> bool:
    """Whether a run of that thread makes the request at hand."""
    caller = acting_for.get()
    return caller is not None and caller.thread_id == thread_id


class _Signed(msgspec.Struct, array_like=True, frozen=True):
    made: float
    identity: str | None
    user: str | None
    run_id: str | None
    thread_id: str | None
    temporary: bool
    strange: bool


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Signed)


@dataclass(frozen=True, slots=True)
class InnerAddress:
    """Where inner requests go, and what their callers are signed with."""

    socket: Path
    secret: bytes = field(repr=False)

    def sign(self, caller: Caller) -> str:
        """The header's value for one request."""
        said = _ENCODER.encode(
            _Signed(
                time.monotonic(),
                caller.identity,
                caller.user,
                caller.run_id,
                caller.thread_id,
                caller.temporary,
                caller.strange,
            )
        )
        return f"{_text(said)}.{_text(self._signature(said))}"

    def read(self, value: bytes) -> Caller | None:
        """Who makes a request with this value; None when it was not signed here, or is too old."""
        said, _, signature = value.partition(b".")
        try:
            raw, signed = base64.urlsafe_b64decode(said), base64.urlsafe_b64decode(signature)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(self._signature(raw), signed):
            return None
        found = _DECODER.decode(raw)
        # The clock of the machine, which all of its processes share and nobody sets.
        if not 0 <= time.monotonic() - found.made < LIFETIME:
            return None
        return Caller(
            identity=found.identity,
            user=found.user,
            run_id=found.run_id,
            thread_id=found.thread_id,
            temporary=found.temporary,
            strange=found.strange,
        )

    def _signature(self, said: bytes) -> bytes:
        return hmac.digest(self.secret, said, sha256)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode("ascii")
