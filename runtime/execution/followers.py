"""Who follows runs and threads at API processes, and has to be told what they do."""

from collections.abc import Mapping

from runyard.runtime.bus.messages import Follow, FollowThread, Unfollow, UnfollowThread
from runyard.runtime.execution.execution import Execution
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.runs import Interest


class Followers:
    """Those that a worker has heard of, also of runs that others execute. `executions`: what it executes, by run id;
    their publishers learn at once what changes."""

    def __init__(self, executions: Mapping[str, Execution]) -> None:
        self._executions = executions
        self._runs: dict[str, int] = {}
        self._threads: set[str] = set()

    def hear(self, message: Follow | Unfollow | FollowThread | UnfollowThread) -> None:
        """What an API process says of them."""
        match message:
            case Follow(run_id, interest):
                self._runs[run_id] = max(interest, self._runs.get(run_id, Interest.NONE))
                if interest >= Interest.EVENTS and (execution := self._executions.get(run_id)) is not None:
                    execution.publisher.follow(True)
            case Unfollow(run_id):
                self._runs.pop(run_id, None)
                if (execution := self._executions.get(run_id)) is not None:
                    execution.publisher.follow(execution.leased.lease.thread_id in self._threads)
            case FollowThread(thread_id):
                self._threads.add(thread_id)
                for execution in self._executions.values():
                    if execution.leased.lease.thread_id == thread_id:
                        execution.publisher.follow(True)
            case UnfollowThread(thread_id):
                self._threads.discard(thread_id)

    def want_events(self, leased: LeasedRun) -> bool:
        """Whether somebody reads the events of a run that begins."""
        return (
            leased.interest == Interest.EVENTS
            or self._runs.get(leased.lease.run_id, 0) >= Interest.EVENTS
            or leased.lease.thread_id in self._threads
        )

    def forget(self, leased: LeasedRun) -> bool:
        """Those of a run that has ended; whether somebody waits for its answer."""
        return self._runs.pop(leased.lease.run_id, leased.interest) != Interest.NONE
