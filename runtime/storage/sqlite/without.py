"""Importing a library without what it would bring in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Lets imports of these modules fail in the block, as if they were not installed; those that are there stay.

    pandas, where a project has it, takes tens of megabytes of every process.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
