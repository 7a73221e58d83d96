"""What is said about an exception of user code, whose text cannot be trusted to exist."""

from __future__ import annotations


def describe_error(error: BaseException) -> dict[str, str]:
    """`{"error": class, "message": text}`, as clients get it. Also for exceptions whose `str()` raises."""
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001 - __str__ is user code too
        message = f"(no text: str() of it raised {type(broken).__name__})"
    return {"error": type(error).__name__, "message": message}


def one_line(error: BaseException) -> str:
    """Class and text of the exception in one line, for logs and the command line."""
    said = describe_error(error)
    text = " ".join(said["message"].split())
    return f"{said['error']}: {text}" if text else said["error"]
