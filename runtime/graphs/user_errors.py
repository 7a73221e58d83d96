"""What is said about an exception of user code, whose text cannot be trusted to exist or to be short."""

from __future__ import annotations

ERROR_TEXT_LIMIT = 8_000
"""Characters that are kept of an exception's text, wherever it goes: the error of a run, of its thread and its task,
stream, webhook, HTTP answer, log. State that a graph puts into its message would otherwise be copied to all of them."""


def bounded(text: str, limit: int = ERROR_TEXT_LIMIT) -> str:
    """`text`, or when it is longer than `limit` its beginning and its end, with the number of characters between."""
    if len(text) <= limit:
        return text
    end = limit // 4
    return f"{text[: limit - end]} [... {len(text) - limit} characters left out ...] {text[-end:]}"


def first_leaf(error: BaseException) -> BaseException:
    """The exception itself, or the first one in a group that is no group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def describe_error(error: BaseException) -> dict[str, str]:
    """`{"error": class, "message": text}`, as clients get it. Also for exceptions whose `str()` raises.

    The text of a group names the first exception in it, for its own says only how many there are.
    """
    message = _text(error)
    leaf = first_leaf(error)
    if leaf is not error:
        inner = _text(leaf)
        message = f"{message}: {type(leaf).__name__}{f': {inner}' if inner else ''}"
    return {"error": type(error).__name__, "message": bounded(message)}


def one_line(error: BaseException) -> str:
    """Class and text of the exception in one line, for logs and the command line."""
    said = describe_error(error)
    text = " ".join(said["message"].split())
    return f"{said['error']}: {text}" if text else said["error"]


def error_repr(error: BaseException) -> str:
    """`repr(error)`, as LangGraph keeps it of a task that failed; also when that raises."""
    try:
        return bounded(repr(error))
    except Exception:  # noqa: BLE001 - __repr__ is user code too
        return f"{type(error).__name__}()"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - __str__ is user code too
        return f"(no text: str() of it raised {type(broken).__name__})"
