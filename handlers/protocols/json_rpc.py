"""JSON-RPC 2.0: what the protocols that speak it have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from runyard.handlers.http.errors import STATUS, when_to_retry
from runyard.handlers.http.json_wait import ResultWaiter
from runyard.handlers.http.responses import KEEP_ALIVE, Response, json_response
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.errors import EncryptionFailed, Forbidden, RunyardError, Unavailable

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

RequestId = str | int | None
"""What an answer is recognised by; None where it cannot be told."""


class RpcError(Exception):
    """A request that fails: `code` is for programs, `message` for people. `unavailable`: why it could not be carried
    out just now, where the request is not what was wrong."""

    def __init__(self, code: int, message: str, data: Any = None, *, unavailable: RunyardError | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.unavailable = unavailable

    @staticmethod
    def of(error: RunyardError) -> RpcError:
        """What the runtime refused, in this form. Raises `error` itself where it says that the caller may not: that is
        answered by the status of the response, like a caller who is not known."""
        if isinstance(error, (Forbidden, Refusal)):
            raise error
        if isinstance(error, (Unavailable, EncryptionFailed)):
            return RpcError(INTERNAL_ERROR, error.detail, unavailable=error)
        return RpcError(INVALID_PARAMS, error.detail)


def result_message(request_id: RequestId, result: Any) -> dict[str, Any]:
    """The answer to a request that was carried out."""
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def error_message(request_id: RequestId, error: RpcError) -> dict[str, Any]:
    """The answer to a request that failed."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": request_id, "error": told}


def error_response(body: Any, errors: Iterable[RpcError], status: int = 200) -> Response:
    """The response of a request that failed with `errors`. What the server could not do just now has the status that it
    has in all of the interface, whatever `status` says: balancers and clients look there whether to try again."""
    reasons = [error.unavailable for error in errors]
    for reason in reasons:
        if reason is not None and all(reasons):
            return json_response(body, STATUS[Unavailable], when_to_retry(reason))
    return json_response(body, status)


async def until_result(waiter: ResultWaiter) -> bytes:
    """What a run answers, however long it takes; closes `waiter`."""
    try:
        while (result := await waiter.result(KEEP_ALIVE)) is None:
            pass
        return result
    finally:
        await waiter.close()


class Work:
    """Work that ends with the body of a response, for `JsonWait`."""

    def __init__(self, work: Coroutine[Any, Any, bytes]) -> None:
        self._task = asyncio.create_task(work)

    async def result(self, timeout: float) -> bytes | None:
        """The body; None when it is not there within `timeout` seconds."""
        done, _ = await asyncio.wait((self._task,), timeout=timeout)
        return self._task.result() if done else None

    async def close(self) -> None:
        """Ends the work, whether or not it is done."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
