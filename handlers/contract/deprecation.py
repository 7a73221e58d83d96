"""Tells clients that an operation is going to be removed, with each of its responses.

The document says `deprecated: true` of it, since when (`x-deprecated-since`) and, once that is known, from when on it
may be missing (`x-sunset`); both are dates. They become the headers Deprecation (RFC 9745) and Sunset (RFC 8594).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from runyard.handlers.http.errors import error_response
from runyard.handlers.http.scope import Header, Message, Receive, Scope, Send

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def deprecation_headers(operation: Mapping[str, Any]) -> tuple[Header, ...]:
    """The headers of all responses of an operation; none unless it is deprecated.

    Raises ValueError when its dates are missing or not dates.
    """
    if not operation.get("deprecated"):
        return ()
    since = _date(operation, "x-deprecated-since")
    headers = [(b"deprecation", b"@%d" % int(since.timestamp()))]
    if "x-sunset" in operation:
        sunset = _date(operation, "x-sunset")
        headers.append((b"sunset", format_datetime(sunset, usegmt=True).encode("ascii")))
    return tuple(headers)


def announcing(application: Application, operation: Mapping[str, Any]) -> Application:
    """The application of one operation, with its headers; the same application when there are none."""
    headers = deprecation_headers(operation)
    return _Announcement(application, headers) if headers else application


class _Announcement:
    """Adds headers to all responses of an application, refusals included."""

    def __init__(self, application: Application, headers: tuple[Header, ...]) -> None:
        self.application = application
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *self.headers]
            await send(message)

        try:
            await self.application(scope, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            await error_response(error, f"{scope['method']} {scope['path']}")(scope, receive, send_with_headers)


def _date(operation: Mapping[str, Any], key: str) -> datetime:
    """The beginning of a day, in UTC."""
    try:
        return datetime.strptime(operation[key], "%Y-%m-%d").replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        name = operation.get("operationId")
        raise ValueError(f"{name} is deprecated: {key} has to be a date such as 2027-01-31") from None
