"""Who sends commands, and to which thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runyard.handlers.http.disconnect import OnDisconnect
from runyard.runtime.auth.principal import Principal
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a command to a thread.

    headers: those that the project hands on to runs.
    request_id: what the client calls the request.
    once: given for a request that may come again.
    at_disconnect: takes what is to be done when the caller's connection is closed; None where there is none that lasts.
    """

    principal: Principal
    thread_id: str
    headers: Headers
    request_id: str | None
    once: IdempotentRequest | None = None
    at_disconnect: Callable[[OnDisconnect], None] | None = None
