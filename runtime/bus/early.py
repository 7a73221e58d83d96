"""What arrives for a worker that does not listen yet."""

from collections.abc import Callable

from runyard.runtime.bus.messages import ToWorker


class EarlyMessages:
    """Keeps messages until somebody listens, who gets them first."""

    def __init__(self) -> None:
        self._kept: list[ToWorker] = []
        self.receive: Callable[[ToWorker], None] = self._kept.append
        """Takes a message that has arrived."""

    def listen(self, receive: Callable[[ToWorker], None]) -> None:
        """Who gets what arrives."""
        self.receive = receive
        for message in self._kept:
            receive(message)
        self._kept.clear()
