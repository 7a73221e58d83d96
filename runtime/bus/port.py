"""The bus between API processes and workers, by topics.

| topic               | from                      | to                                  | messages                     |
|---------------------|---------------------------|-------------------------------------|------------------------------|
| events of a run     | the worker that has it    | API processes that follow the run   | RunMessage                   |
| events of a thread  | workers that have its runs| API processes that follow the thread| RunMessage                   |
| wake                | API processes             | workers, any of which may take it   | Wake                         |
| control             | API processes             | one worker, or all                  | all else of ToWorker         |
| workers             | workers                   | API processes                       | all else of FromWorker, Ended|

The database is the only truth: a message may be lost, which costs time, never a run. What one process sends arrives
in that order wherever it arrives, whatever the topics. Sending never blocks, and nothing arrives within the call that
sends it.

Whether somebody follows a run or a thread is told to workers, so that they do not send what nobody reads; with several
API processes, `Unfollow` comes when none of them follows it any more. A worker begins with `Hello`, and is told what is
followed before `Welcome`. All methods are called on the event loop.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from runyard.runtime.bus.messages import Followed, FromWorker, PackedEvent, ToWorker


class WorkerBus(Protocol):
    """A worker's end of the bus."""

    def listen(self, receive: Callable[[ToWorker], None]) -> None:
        """Who gets what arrives; what has arrived before comes first."""

    def send(self, message: FromWorker) -> None:
        """Sends to all API processes whom it concerns. After `close`, nothing is sent any more."""

    def close(self) -> None:
        """Sends what is left and leaves the bus."""


class ServerBus(Protocol):
    """An API process's end of the bus."""

    def hear_runs(self, listener: "RunListener") -> None:
        """Who hears of runs; before the first worker is there."""

    def hear_workers(self, listener: "WorkerListener") -> None:
        """Who hears of workers; before the first is there."""

    def follow_run(self, run_id: str, interest: int, *, announce: bool, new: bool = False) -> None:
        """This process follows the run, however often it says so. `announce`: the run is there already, so workers
        have to be told; the worker of one that is yet to be written (`new`) reads it in its row. Neither: the run is
        being cancelled, and whoever tells of its end answers that."""

    def unfollow_run(self, run_id: str, *, announce: bool) -> None:
        """This process does not follow the run any more. `announce`: workers may be publishing for it."""

    def follow_thread(self, thread_id: str) -> None:
        """This process follows all runs of the thread, those to come included, however often it says so."""

    def unfollow_thread(self, thread_id: str) -> None:
        """This process does not follow the thread any more."""

    def wake(self, workers: Iterable[str]) -> None:
        """Wakes these workers for runs, which whoever of them has room may claim."""

    def tell(self, message: ToWorker, worker: str | None = None) -> None:
        """Tells one worker, or all that have said hello; others are told what still matters once they do. `Cancel`
        goes to the workers of other server processes, too."""

    def drop(self, worker: str) -> None:
        """The process of that worker has ended, whoever may still hold its end of a connection."""

    # Other server processes

    def wake_elsewhere(self, ready: int) -> None:
        """Wakes workers of other server processes for so many runs."""

    def elsewhere(self) -> Collection[str]:
        """The other server processes that have workers; they pass on `Flush`, and answer as a worker does."""

    async def confirmed(self) -> None:
        """Returns when the other server processes that have workers have taken in what this one has said until now, and
        have told their workers, so that what these say of what is followed here is heard; soon in any case, for some
        may have ended."""

    def answer_flush(self, server: str, number: int) -> None:
        """Answers the `Flush` of another server process: what the workers here have said is there."""

    def runs_changed(self, run_ids: Sequence[str]) -> None:
        """These runs have ended without a word of their workers, or were removed: others look, too."""

    def thread_changed(self, thread_id: str, *, deleted: bool) -> None:
        """The state of the thread was edited, or the thread was deleted: those who follow it elsewhere learn it."""

    @property
    def polls(self) -> bool:
        """Whether what happens elsewhere is not told here at the moment: it is to be asked of storage."""


class RunListener(Protocol):
    """Is told what workers say about runs, and knows what a worker has to be told when it says hello."""

    def publish(self, run_id: str, thread_id: str, events: Sequence[PackedEvent], first: int, before: int) -> None:
        """See `RunEvents`."""

    def events_stored(self, run_id: str, thread_id: str, number: int) -> None:
        """See `EventsStored`."""

    def run_ended(
        self,
        run_id: str,
        thread_id: str,
        status: str,
        answer: bytes | None,
        last: int,
        waited: float,
        ran: float,
        *,
        elsewhere: bool = False,
    ) -> None:
        """See `Ended`. `elsewhere`: the worker is one of another server process."""

    def interests(self) -> Iterable[Followed]:
        """What is followed now, those included that were not announced."""

    def events_withheld(self, run_id: str, thread_id: str) -> None:
        """The run says elsewhere what is neither stored nor told here."""

    def refresh_results(self, run_ids: Sequence[str]) -> None:
        """These runs may have ended, or be no more, as other server processes say."""

    def state_edited(self, thread_id: str) -> None:
        """The state of the thread was edited elsewhere."""

    def look_again(self) -> None:
        """Messages from elsewhere may have been lost, or a thread was deleted there: all that is followed is to be
        looked at."""


class WorkerListener(Protocol):
    """Is told what workers say about themselves."""

    def heard(self, worker: str | None, message: FromWorker) -> None:
        """All messages of workers that arrive here, those about runs too, before `RunListener` gets them. `worker`: its
        name; None: it has not said hello."""

    def lost(self, worker: str) -> None:
        """A worker that had said hello has left the bus; its runs are the supervisor's business. Or another server
        process has."""

    def woken(self, ready: int) -> None:
        """Another server process says that so many runs are ready."""

    def flush_asked(self, server: str, number: int) -> None:
        """Another server process asks for what the workers here have said; see `answer_flush`."""

    def capacity(self) -> tuple[int, int]:
        """How many workers there are here, and how many more runs they may take."""
