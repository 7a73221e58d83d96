"""The results of batches: read as they come, each once, through breaks of the connection."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from runyard.handlers.cli.batch.errors import BatchRefused, ConnectionLost, ServerUnreachable
from runyard.handlers.cli.batch.server import PAUSE, RECONNECT_TIMEOUT, BatchServer

FAILURES = ("error", "timeout", "interrupted")
"""How items end that have not succeeded."""


@dataclass(frozen=True, slots=True)
class Result:
    """A line of results. `line` is as the server sends it, but for the `batch_id` that comes first."""

    batch_id: str
    index: int
    run_id: str
    status: str
    line: bytes

    @property
    def value(self) -> dict[str, Any]:
        """All of the line."""
        value: dict[str, Any] = json.loads(self.line)
        return value


def parse_result(line: bytes) -> Result:
    """A line of a file of results. Raises ValueError, KeyError or TypeError for what is none."""
    value = json.loads(line)
    return Result(str(value["batch_id"]), int(value["index"]), str(value["run_id"]), str(value["status"]), line)


@dataclass(slots=True)
class Seen:
    """Which results of one batch there are: by index, the run that they are of and how it ended. An item that was
    retried has another run."""

    runs: dict[int, tuple[str, str]] = field(default_factory=dict)
    _whole: int = -1

    def add(self, result: Result) -> bool:
        """Whether it is a new one."""
        if self.runs.get(result.index, ("",))[0] == result.run_id:
            return False
        self.runs[result.index] = (result.run_id, result.status)
        return True

    @property
    def whole(self) -> int:
        """The index up to which none is missing."""
        while self._whole + 1 in self.runs:
            self._whole += 1
        return self._whole

    def start(self, total: int) -> int:
        """The index behind which to ask for results of a batch of so many items: that up to which none is missing. When
        all are there, that in front of the first that failed, which may have been retried since."""
        if len(self.runs) < total:
            return self.whole
        failed = [index for index, (_, status) in self.runs.items() if status in FAILURES]
        return min(failed, default=total) - 1

    @property
    def counts(self) -> Counter[str]:
        """How many ended how."""
        return Counter(status for _, status in self.runs.values())


def read_results(
    server: BatchServer, batch_id: str, total: int, seen: Seen, *, statuses: Sequence[str] = (), follow: bool
) -> Iterator[Result]:
    """The results of a batch of `total` items that are not in `seen`, where they are put: those that there are, in the
    order of the batch; with `follow` also those to come, in the order of their ends. Raises `ServerUnreachable` when
    the server does not come back."""
    start = b'{"batch_id":"' + batch_id.encode() + b'",'
    lost_since: float | None = None
    after = seen.start(total)
    while True:
        if statuses:
            after = -1
        try:
            for line in server.results(batch_id, after=after, statuses=statuses, follow=follow):
                lost_since = None
                result = parse_result(start + line.removeprefix(b"{"))
                if seen.add(result):
                    yield result
            return
        except BatchRefused:
            if len(seen.runs) < total:
                raise
            return  # all are there: what the server no longer keeps is not missed
        except ConnectionLost as error:
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > RECONNECT_TIMEOUT:
                raise ServerUnreachable(
                    f"lost the server at {server.url} ({error}); accepted runs go on there"
                ) from None
        time.sleep(PAUSE)
        after = max(after, seen.whole)
