"""What processes that user code forks must not share with this one: locks and connections, which would outlive it."""

from __future__ import annotations

import contextlib
import os

_private: set[int] = set()


def keep_from_children(descriptor: int) -> None:
    """A forked child is not to hold what the descriptor stands for. Until `forget_descriptor`."""
    _private.add(descriptor)


def forget_descriptor(descriptor: int) -> None:
    """The descriptor is about to be closed."""
    _private.discard(descriptor)


def _let_go() -> None:
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in _private:
            # Replaced, not closed: whoever closes it in the child must not hit another file under its number.
            os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)
    _private.clear()


os.register_at_fork(after_in_child=_let_go)
