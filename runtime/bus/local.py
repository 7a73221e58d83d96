"""The bus within one process, for `--workers 0`: messages arrive in a later turn of the event loop."""

import asyncio
from collections.abc import Callable

from runyard.runtime.bus.early import EarlyMessages
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import FromWorker, ToWorker


class LocalWorkerBus:
    """A `WorkerBus`, attached to the API process's end from the beginning."""

    def __init__(self, server: LinkedBus) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._early = EarlyMessages()
        self._link = _LocalLink(self)
        self._closed = False
        server.attach(self._link)

    def listen(self, receive: Callable[[ToWorker], None]) -> None:
        self._early.listen(receive)

    def send(self, message: FromWorker) -> None:
        if not self._closed:
            self._loop.call_soon(self._server.receive, self._link, message)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._server.detach, self._link)

    def deliver(self, message: ToWorker) -> None:
        """A message has arrived."""
        if not self._closed:
            self._early.receive(message)


class _LocalLink:
    """The API process's end."""

    def __init__(self, worker: LocalWorkerBus) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def send(self, message: ToWorker) -> None:
        if not self._closed:
            self._loop.call_soon(self._worker.deliver, message)

    def close(self) -> None:
        self._closed = True
