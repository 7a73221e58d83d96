"""What a request is answered that is not let in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import orjson

from runyard.runtime.errors import RunyardError

_SDK = "langgraph_sdk.auth.exceptions"
_STARLETTE = "starlette.exceptions"
_OWN_HEADERS = frozenset(("connection", "content-length", "content-type", "transfer-encoding"))
"""Headers that the answer itself has."""


class Refusal(RunyardError):
    """A request that is not let in: `status` is that of the answer, `headers` are added to it.

    Raised by authentication, and by handlers of a project's `Auth`, which choose all three.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


def refusal_of(error: BaseException) -> Refusal | None:
    """The refusal that a project's handler meant by raising `error`: `Auth.exceptions.HTTPException`, or that of
    Starlette or FastAPI, with a status of 400 or above. None: it is a mistake of the handler."""
    # Only code that has imported one of them can raise it.
    kinds = tuple(sys.modules[name].HTTPException for name in (_SDK, _STARLETTE) if name in sys.modules)
    if not isinstance(error, kinds):
        return None
    raised: Any = error
    if not isinstance(raised.status_code, int) or not 400 <= raised.status_code <= 599:
        return None
    detail = raised.detail if isinstance(raised.detail, str) else orjson.dumps(raised.detail, default=str).decode()
    headers = {str(name): str(value) for name, value in (raised.headers or {}).items()}
    return Refusal(
        int(raised.status_code), detail, {name: headers[name] for name in headers if _may_send(name, headers[name])}
    )


def _may_send(name: str, value: str) -> bool:
    plain = f"{name}{value}"
    return name.lower() not in _OWN_HEADERS and plain.isprintable() and "\n" not in plain and name.isascii()
