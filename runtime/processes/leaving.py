"""How a worker process ends: with its server whatever happens, and without waiting for what user code has left."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing.forkserver
import os
import signal
import sys
import threading
import time
from typing import NoReturn

import psutil

from runyard.runtime.background.process_identity import ProcessIdentity

PR_SET_PDEATHSIG = 1
"""The call of Linux that asks for a signal at the end of the parent."""
CHECK_INTERVAL = 0.5
"""Seconds between looks whether the server is still there."""
HELPERS = ("from multiprocessing.resource_tracker import", "from multiprocessing.forkserver import")
"""How the command lines of multiprocessing's own processes begin, after the interpreter and its options."""
CHILDREN_GRACE = 0.5
"""Seconds that processes started by user code get to end by themselves."""


class ServerWatch:
    """Ends this process when its server has ended.

    Until `connected`, at once: there are no runs. An import may hold the interpreter for as long as it likes, so on
    Linux the kernel sees to it, at the end of the process that forked this one, which ends with the server. From then
    on after `grace` seconds, in which the worker hands back what it runs.
    """

    def __init__(self, server: ProcessIdentity, grace: float) -> None:
        self._server = server
        self._grace = grace
        self._connected = False
        _at_end_of_parent(signal.SIGKILL)
        if self._server.state() == "ended":
            os._exit(1)
        threading.Thread(target=self._watch, name="server watch", daemon=True).start()

    def connected(self) -> None:
        """The worker has a connection, and notices itself when that ends."""
        self._connected = True
        _at_end_of_parent(0)

    def _watch(self) -> None:
        while self._server.state() != "ended":
            time.sleep(CHECK_INTERVAL)
        if self._connected:
            time.sleep(self._grace)
        leave(1)


def leave_fork_server() -> None:
    """Gives up this process's hold on the fork server that it comes from, which then ends with the server, whatever its
    workers and their children do. Code of graphs that wants a fork server gets one of its own."""
    state = vars(vars(multiprocessing.forkserver)["_forkserver"])
    if state["_forkserver_alive_fd"] is not None:
        os.close(state["_forkserver_alive_fd"])
    state.update(_forkserver_alive_fd=None, _forkserver_address=None, _forkserver_pid=None)


def leave(code: int) -> NoReturn:
    """Ends this process and all that it has started, at once: pool threads that sleep, pools and processes of user
    code are not waited for. What the worker itself had to write must be written."""
    with contextlib.suppress(Exception):  # nothing may keep the process from ending
        _end_children()
    with contextlib.suppress(Exception):  # as above
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _end_children() -> None:
    own = psutil.Process()
    forked = own.cmdline()  # also that of multiprocessing's fork server, in a process that comes from there
    children = [child for child in own.children(recursive=True) if not _ends_by_itself(child, forked)]
    if not children:
        return
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.terminate()
    for child in psutil.wait_procs(children, CHILDREN_GRACE)[1]:
        with contextlib.suppress(psutil.Error):
            child.kill()


def _ends_by_itself(child: psutil.Process, forked: list[str]) -> bool:
    """multiprocessing's own helpers do, when nobody needs them any more, and tidy up after those that did."""
    with contextlib.suppress(psutil.Error):
        words = child.cmdline()
        return words != forked and any(word.startswith(HELPERS) for word in words)
    return True


def _at_end_of_parent(number: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
