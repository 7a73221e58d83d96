"""Which other server processes follow which runs and threads of the workers here."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from runyard.runtime.bus.messages import Follow, Followed, FollowThread
from runyard.runtime.bus.peers.messages import Interests


@dataclass(slots=True)
class _Followed:
    """What one process follows: runs, with the interest, and threads; and what it is about to say that it follows."""

    runs: dict[str, int] = field(default_factory=dict)
    threads: set[str] = field(default_factory=set)
    said: Interests | None = None


class Followers:
    """By run, by thread and by process."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, int]] = {}
        self._threads: dict[str, set[str]] = {}
        self._peers: dict[str, _Followed] = {}

    def of_run(self, run_id: str) -> Collection[str]:
        """Those that follow the run."""
        return self._runs.get(run_id, ())

    def of_thread(self, thread_id: str) -> Collection[str]:
        """Those that follow the thread."""
        return self._threads.get(thread_id, ())

    def of(self, run_id: str, thread_id: str, interest: int) -> set[str]:
        """Those that follow the run with that interest or more, or its thread."""
        runs = self._runs.get(run_id)
        found = set() if runs is None else {peer for peer, wanted in runs.items() if wanted >= interest}
        threads = self._threads.get(thread_id)
        return found if threads is None else found | threads

    def follow_run(self, peer: str, run_id: str, interest: int) -> None:
        """The process follows the run."""
        runs = self._peers.setdefault(peer, _Followed()).runs
        runs[run_id] = max(interest, runs.get(run_id, 0))
        self._runs.setdefault(run_id, {})[peer] = runs[run_id]

    def follow_thread(self, peer: str, thread_id: str) -> None:
        """The process follows the thread."""
        self._peers.setdefault(peer, _Followed()).threads.add(thread_id)
        self._threads.setdefault(thread_id, set()).add(peer)

    def unfollow_run(self, peer: str, run_id: str) -> None:
        """The process does not follow the run any more."""
        if peer in self._peers:
            self._peers[peer].runs.pop(run_id, None)
        peers = self._runs.get(run_id, {})
        peers.pop(peer, None)
        if not peers:
            self._runs.pop(run_id, None)

    def unfollow_thread(self, peer: str, thread_id: str) -> None:
        """The process does not follow the thread any more."""
        if peer in self._peers:
            self._peers[peer].threads.discard(thread_id)
        peers = self._threads.get(thread_id, set())
        peers.discard(peer)
        if not peers:
            self._threads.pop(thread_id, None)

    def run_ended(self, run_id: str) -> None:
        """Nobody follows the run any more."""
        for peer in self._runs.pop(run_id, ()):
            self._peers[peer].runs.pop(run_id, None)

    def learn(self, peer: str, interests: Interests) -> tuple[Iterable[str], Iterable[str]]:
        """Takes what a process says of all that it follows; answers, behind the last of it, the runs and the threads
        that it followed and does not any more."""
        followed = self._peers.setdefault(peer, _Followed())
        for run_id, interest in interests.runs:
            self.follow_run(peer, run_id, interest)
        for thread_id in interests.threads:
            self.follow_thread(peer, thread_id)
        if interests.first:
            followed.said = Interests([], [], first=True, last=False)
        if followed.said is None:
            return (), ()
        followed.said.runs.extend(interests.runs)
        followed.said.threads.extend(interests.threads)
        if not interests.last:
            return (), ()
        said, followed.said = followed.said, None
        runs = followed.runs.keys() - {run_id for run_id, _ in said.runs}
        threads = followed.threads - {*said.threads}
        self._drop(peer, runs, threads)
        return runs, threads

    def forget(self, peer: str) -> tuple[Iterable[str], Iterable[str]]:
        """The process is no more; answers the runs and threads that it followed."""
        followed = self._peers.get(peer, _Followed())
        runs, threads = list(followed.runs), list(followed.threads)
        self._drop(peer, runs, threads)
        self._peers.pop(peer, None)
        return runs, threads

    def _drop(self, peer: str, runs: Iterable[str], threads: Iterable[str]) -> None:
        for run_id in runs:
            self.unfollow_run(peer, run_id)
        for thread_id in threads:
            self.unfollow_thread(peer, thread_id)

    def all(self) -> Iterator[Followed]:
        """What is followed by any, as workers are told it."""
        for run_id, peers in self._runs.items():
            yield Follow(run_id, max(peers.values()))
        for thread_id in self._threads:
            yield FollowThread(thread_id)
