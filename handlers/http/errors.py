"""From exceptions to responses: one table, one shape.

Every error is answered with `{"detail": "..."}`. What is not in the table is a defect: it is logged with its
traceback, and the client is told no more than that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from starlette.exceptions import HTTPException

from runyard.handlers.http.responses import BodyResponse, json_response
from runyard.handlers.http.scope import Header
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.errors import (
    BadRequest,
    Conflict,
    EncryptionFailed,
    Forbidden,
    Invalid,
    NotFound,
    NotSupported,
    RunyardError,
    Unavailable,
)

logger = logging.getLogger(__name__)

_LONGEST_DETAIL = 4_000
"""Characters of a detail: it may quote a request, which may be of any length."""

STATUS: dict[type[RunyardError], int] = {
    BadRequest: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    NotSupported: 501,
    EncryptionFailed: 503,
    Unavailable: 503,
}


class HttpError(Exception):
    """A request that fails as one of HTTP: an unknown path, a wrong method, too large a body."""

    def __init__(self, status: int, detail: str, headers: Iterable[Header] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)


def error_response(error: Exception, request: str) -> BodyResponse:
    """The response to a request that failed. `request` names it in the log."""
    if isinstance(error, HttpError):
        return _detailed(error.detail, error.status, error.headers)
    if isinstance(error, Refusal):
        headers = [
            (name.lower().encode("ascii"), value.encode("latin-1", "replace")) for name, value in error.headers.items()
        ]
        return _detailed(error.detail, error.status, headers)
    if isinstance(error, RunyardError):
        for kind in type(error).__mro__:
            if kind in STATUS:
                return _detailed(error.detail, STATUS[kind], when_to_retry(error))
    if isinstance(error, HTTPException):
        # From the Flask part: an asset that does not exist, for instance.
        return _detailed(error.detail, error.status_code)
    logger.error("%s failed", request, exc_info=error)
    return _detailed("Internal Server Error", 500)


def when_to_retry(error: RunyardError) -> Iterable[Header]:
    """The header that says when the same request may well succeed, where that can be said."""
    return () if error.retry_after is None else ((b"retry-after", b"%d" % error.retry_after),)


def _detailed(detail: str, status: int, headers: Iterable[Header] = ()) -> BodyResponse:
    if len(detail) > _LONGEST_DETAIL:
        detail = f"{detail[:_LONGEST_DETAIL]}..."
    return json_response({"detail": detail}, status, headers)
