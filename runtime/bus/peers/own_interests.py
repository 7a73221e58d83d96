"""What is followed in this server process, and what others were told of it."""

from collections.abc import Iterable


class OwnInterests:
    """By run and by thread."""

    def __init__(self) -> None:
        self._runs: set[str] = set()
        self._asked: set[str] = set()
        """Runs that were written for somebody here to follow them."""
        self._announced: set[str] = set()
        self._threads: set[str] = set()

    def follow_run(self, run_id: str, *, announce: bool, new: bool) -> None:
        """As `ServerBus` has it."""
        self._runs.add(run_id)
        if announce:
            self._announced.add(run_id)
        if new:
            self._asked.add(run_id)

    def unfollow_run(self, run_id: str) -> bool:
        """Answers whether others were told that the run is followed here."""
        self._runs.discard(run_id)
        self._asked.discard(run_id)
        announced = run_id in self._announced
        self._announced.discard(run_id)
        return announced

    def announced(self, run_ids: Iterable[str]) -> None:
        """Others were told that these runs are followed here."""
        self._announced.update(run_ids)

    def is_asker(self, run_id: str) -> bool:
        """Whether it is this process that was to follow the run when that was written."""
        return run_id in self._asked

    def follows_run(self, run_id: str) -> bool:
        """Whether the run is followed here."""
        return run_id in self._runs

    def follow_thread(self, thread_id: str) -> bool:
        """Answers whether it was not followed before."""
        new = thread_id not in self._threads
        self._threads.add(thread_id)
        return new

    def unfollow_thread(self, thread_id: str) -> None:
        """Nobody here follows it any more."""
        self._threads.discard(thread_id)

    def follows_thread(self, thread_id: str) -> bool:
        """Whether the thread is followed here."""
        return thread_id in self._threads
