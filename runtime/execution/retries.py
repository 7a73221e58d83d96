"""Which errors of a graph are worth another try."""

from __future__ import annotations

from typing import Final

from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import RetryPolicy as NodeRetryPolicy

from runyard.runtime.graphs.user_errors import first_leaf
from runyard.runtime.storage.port.retries import RetryPolicy

PASSING_STATUSES: Final = (408, 409, 425, 429)
"""HTTP statuses below 500 that may be others a little later."""


def is_worth_another_try(policy: RetryPolicy, error: BaseException) -> bool:
    """Whether the policy has a run tried again after that error, as long as it has tries left."""
    error = first_leaf(error)
    if policy.errors is None:
        try:
            return _is_likely_to_pass(error)
        except Exception:  # noqa: BLE001 - the attributes of an exception are user code too
            return False
    return any(
        name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}")
        for kind in type(error).__mro__
        for name in policy.errors
    )


def _is_likely_to_pass(error: BaseException) -> bool:
    """What LangGraph's own policy for nodes has tried again, and timeouts; of errors that know an HTTP status, those
    whose status says it. The rest (a ValueError, a mistake in the code, an answer 400) would come again."""
    if not isinstance(error, Exception):
        return False
    if (status := _http_status(error)) is not None:
        return status >= 500 or status in PASSING_STATUSES
    if isinstance(error, TimeoutError):
        return True
    if isinstance(error, EmptyInputError | InvalidUpdateError):
        return False
    retry_on = NodeRetryPolicy().retry_on
    assert callable(retry_on)
    return bool(retry_on(error))


def _http_status(error: Exception) -> int | None:
    """The status that the error of an HTTP client carries, itself or in its response."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None
