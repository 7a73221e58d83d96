"""Tracebacks for people who wrote a graph: the frames of their own code first, those of libraries after them."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from runyard.runtime.graphs.user_errors import bounded, first_leaf

TRACEBACK_LIMIT = 16_000
"""Characters of one traceback."""
LIBRARY_FRAMES = 20
"""Frames of libraries that are named for each exception: the innermost."""
CHAINED = 5
"""Exceptions of a chain of causes that are shown."""

_RUNTIME = Path(__file__).parents[1]
_LIBRARIES = tuple(
    {
        *(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib")),
        *(f"{_RUNTIME.with_name(name)}/" for name in ("runtime", "handlers", "generated")),
    }
)


def is_library(filename: str) -> bool:
    """Whether code in that file belongs to Python, to an installed package or to Runyard."""
    return (
        "/site-packages/" in filename or "/dist-packages/" in filename or filename.startswith(("<frozen ", *_LIBRARIES))
    )


def format_traceback(error: BaseException) -> str:
    """The traceback of `error` with its causes, cut to `TRACEBACK_LIMIT`.

    Causes come first, as in Python; of a group of exceptions, the first one in it counts as its cause. Each shows the
    frames of the user's own code; where there are such, the frames of libraries follow at the end, without source.
    """
    parts: list[str] = []
    libraries: list[str] = []
    for reason, item in _chain(error):
        frames = _frames(item.__traceback__)
        own = [frame for frame in frames if not is_library(frame.filename)]
        if frames:
            parts.append("Traceback (most recent call last):\n")
            parts.extend(traceback.StackSummary.from_list(own or frames).format())
        parts.append(f"{bounded(''.join(traceback.format_exception_only(item))).rstrip()}\n{reason}")
        others = [frame for frame in frames if is_library(frame.filename)] if own else []
        if others:
            libraries.append(f"\nFrames of libraries, of this {type(item).__name__}:\n")
            if len(others) > LIBRARY_FRAMES:
                libraries.append(f"  ({len(others) - LIBRARY_FRAMES} more)\n")
            for frame in others[-LIBRARY_FRAMES:]:
                libraries.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n')
    return bounded("".join([*parts, *libraries]).rstrip(), TRACEBACK_LIMIT)


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return list(traceback.StackSummary.extract(traceback.walk_tb(trace)))


def _chain(error: BaseException) -> list[tuple[str, BaseException]]:
    """The exceptions to show, in order, each with how it led to the next."""
    found = [("", error)]
    seen = {id(error)}
    for reason, cause in _causes(error):
        if id(cause) in seen or len(found) == CHAINED:
            break
        seen.add(id(cause))
        found.append((reason, cause))
    return found[::-1]


def _causes(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    while True:
        leaf = first_leaf(error)
        if leaf is not error:
            yield "\nThis exception is the first in the following group:\n\n", leaf
            error = leaf
        elif error.__cause__ is not None:
            yield "\nThe above exception was the direct cause of the following exception:\n\n", error.__cause__
            error = error.__cause__
        elif error.__context__ is not None and not error.__suppress_context__:
            yield "\nDuring handling of the above exception, another exception occurred:\n\n", error.__context__
            error = error.__context__
        else:
            return
