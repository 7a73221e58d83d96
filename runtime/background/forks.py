"""What processes that user code forks must not share with this one: locks and connections, which would outlive it."""

from __future__ import annotations

import contextlib
import os
import socket

_private: set[int] = set()
_ports: set[int] = set()


def keep_from_children(descriptor: int) -> None:
    """A forked child is not to hold what the descriptor stands for. Until `forget_descriptor`."""
    _private.add(descriptor)


def forget_descriptor(descriptor: int) -> None:
    """The descriptor is about to be closed."""
    _private.discard(descriptor)


def keep_port_from_children(port: int) -> None:
    """A forked child is not to hold sockets that listen on the port, or that were accepted there: clients of a dead
    server would wait for answers."""
    _ports.add(port)


def _sockets_of_ports() -> list[int]:
    found = []
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as looked_at:
            if looked_at.family in (socket.AF_INET, socket.AF_INET6) and looked_at.getsockname()[1] in _ports:
                found.append(int(name))
    return found


def _let_go() -> None:
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in [*_private, *(_sockets_of_ports() if _ports else ())]:
            # Replaced, not closed: whoever closes it in the child must not hit another file under its number.
            os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)
    _private.clear()


os.register_at_fork(after_in_child=_let_go)
