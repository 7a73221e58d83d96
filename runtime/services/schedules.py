"""When crons are due: schedules, read by the calendar of a time zone.

croniter knows the calendar, and is asked for local times only; which moments these are is told by the time zone:

- A local time that is left out, when clocks go forward, counts as the moment at which they do.
- One that comes twice, when clocks go back, counts once, as the first.
- A schedule that names no hours (its hour is `*`) follows the time that passes instead: what is left out does not
  count, what comes twice counts twice.

Moments are whole seconds here, and microseconds since 1970 outside.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterBadDateError, CroniterError

from runyard.runtime.errors import Invalid

LONGEST = 200
"""Characters of a schedule: reading one takes time that grows with them."""

DAY = 86_400
EPOCH = datetime(1970, 1, 1)
ALL_HOURS = 24
HOUR_FIELD = 1

_NO_STEP = re.compile(r"/0+(?!\d)")
# What croniter would draw lots for, at each reading anew.
_DRAWN = re.compile(r"(?:^|[\s,])[HR](?:$|[\s,/(])", re.IGNORECASE)


class Schedule:
    """A schedule in a time zone. Raises Invalid for one that cannot be read, or never comes."""

    def __init__(self, expression: str, timezone: str | None) -> None:
        self._zone = _zone(timezone)
        self._by_passing_time = _names_no_hours(expression)
        # Reading a schedule costs more than all else. It is asked from several threads.
        self._matches = croniter(expression, EPOCH)
        self._lock = threading.Lock()

    def next_after(self, time: int) -> int | None:
        """The first moment after `time` at which it is due; None when there is none any more."""
        second = time // 1_000_000
        offset, local = self._offset(second), self._start(second)
        while (found := self._match_after(local)) is not None:
            change = self._change(second, found - offset)
            if change is None:
                return (found - offset) * 1_000_000
            second, before, offset = change, offset, self._offset(change)
            skipped = offset > before and found < change + offset
            if skipped and not self._by_passing_time:
                return change * 1_000_000
            goes_on_at_once = skipped or (offset < before and self._by_passing_time)
            local = (change + offset if goes_on_at_once else found) - 1
        return None

    def latest_until(self, first: int, last: int) -> int:
        """The last moment up to `last` at which it is due; `first`, at which it is too, when none follows."""
        if last - first < 1_000_000:
            return first
        latest, end = first, last
        while end - latest > 1_000_000:
            middle = (latest + end) // 2
            found = self.next_after(middle)
            if found is not None and found <= last:
                latest = found
            else:
                end = middle
        found = self.next_after(latest)
        return latest if found is None or found > last else found

    def _start(self, second: int) -> int:
        """The local time whose matches count from `second` on. What comes a second time is over."""
        moment = datetime.fromtimestamp(second, self._zone)
        local = second + self._offset(second)
        if not moment.fold or self._by_passing_time:
            return local
        longest = 2 * DAY
        over = _first(lambda later: not datetime.fromtimestamp(later, self._zone).fold, second, second + longest)
        return over + self._offset(second) - 1

    def _match_after(self, local: int) -> int | None:
        try:
            with self._lock:
                self._matches.set_current(EPOCH + timedelta(seconds=local), force=True)
                found = self._matches.get_next(datetime)
        except CroniterBadDateError:
            return None
        return int((found - EPOCH).total_seconds())

    def _offset(self, second: int) -> int:
        offset = datetime.fromtimestamp(second, self._zone).utcoffset()
        assert offset is not None
        return round(offset.total_seconds())

    def _change(self, after: int, until: int) -> int | None:
        """The first second in the span from which on local time goes otherwise than at its beginning."""
        if self._zone is UTC:
            return None
        offset = self._offset(after)
        while after < until:
            day = min(after + DAY, until)
            if self._offset(day) != offset:
                return _first(lambda second: self._offset(second) != offset, after, day)
            after = day
        return None


@lru_cache(4096)
def read_schedule(expression: str, timezone: str | None) -> Schedule:
    """Raises Invalid; the detail says what to write instead."""
    return Schedule(expression, timezone)


def read_moment(text: str, timezone: str | None) -> int:
    """Microseconds since 1970 of a date with time; without an offset, in the time zone. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text.upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_zone(timezone))
        return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    except (ValueError, OverflowError):
        raise Invalid(
            f"end_time: {text[:100]!r} is not a date with time; write one such as 2027-01-31T18:00:00+01:00"
        ) from None


def _first(holds: Callable[[int], bool], below: int, above: int) -> int:
    """The first number for which something holds that does not for `below`, and does from some number on to `above`."""
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if holds(middle) else (middle, above)
    return above


def _zone(name: str | None) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: it names a folder of zones, or is too long
        raise Invalid(
            f"Invalid timezone: {name[:100]!r}. Use IANA timezone format (e.g. 'America/New_York')."
        ) from None


def _names_no_hours(expression: str) -> bool:
    """Reads the schedule. Raises Invalid."""
    reason = _fault(expression)
    if reason is None:
        try:
            hours = croniter.expand(expression)[0][HOUR_FIELD]
            croniter(expression, EPOCH).get_next(datetime)
            return hours == ["*"] or len(hours) == ALL_HOURS
        except CroniterBadDateError:
            reason = "There is no such date"
        except (CroniterError, ValueError, KeyError, AttributeError, TypeError) as error:
            reason = str(error)[:LONGEST].rstrip(".")
    raise Invalid(
        f"Invalid cron schedule: {expression[:100]!r}. Reason: {reason}. Ensure the schedule uses the standard cron "
        "format (minute hour day_of_month month day_of_week, and seconds in a sixth place if need be). "
        "Example: '*/5 * * * *' for every 5 minutes."
    )


def _fault(expression: str) -> str | None:
    """What croniter, or some version of it, would let pass."""
    if len(expression) > LONGEST:
        return f"There are more than {LONGEST} characters"
    if not expression.strip().startswith("@") and len(expression.split()) not in (5, 6):
        return "It has neither five fields, nor six"
    if not expression.isascii():
        return "There are characters that no field has"
    if _DRAWN.search(expression):
        return "H and R, which stand for a number of the server's choice, are not supported"
    if _NO_STEP.search(expression):
        return "A step of zero leads nowhere"
    return None
