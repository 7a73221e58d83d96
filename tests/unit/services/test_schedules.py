"""Schedules by the calendar of time zones: held against zoneinfo, moment by moment, and what cannot be read."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from runyard.runtime.errors import Invalid
from runyard.runtime.services.schedules import LONGEST, Schedule, read_moment

FORWARD = [
    # zone, a moment hours before the change, as local time
    ("America/New_York", "2026-03-07T20:00:00"),
    ("Europe/Vienna", "2026-03-28T20:00:00"),
    ("Australia/Lord_Howe", "2026-10-03T20:00:00"),  # by half an hour
    ("America/St_Johns", "2026-03-07T20:00:00"),
    ("Africa/Casablanca", "2026-03-21T20:00:00"),
    ("Pacific/Apia", "2011-12-29T20:00:00"),  # by a whole day
]
BACK = [
    ("America/New_York", "2026-10-31T20:00:00"),
    ("Europe/Vienna", "2026-10-24T20:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T20:00:00"),
    ("America/St_Johns", "2026-10-31T20:00:00"),
    ("Africa/Casablanca", "2026-02-14T20:00:00"),
    ("Antarctica/Troll", "2026-10-24T20:00:00"),  # by two hours
]
PASSING = ["*/10 * * * *", "30 * * * *", "15,45 */1 * * *", "* * * * *"]
NAMED = [
    "30 2 * * *",
    "0 2 * * *",
    "45 1 * * *",
    "30 1,2 * * *",
    "0 3 * * *",
    "*/20 2 * * *",
    "0 */2 * * *",
    "15 0-4 * * *",
]


def micros(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000


def moments(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """All between the two, as the schedule tells them."""
    found: list[datetime] = []
    at = schedule.next_after(micros(start))
    while at is not None and at <= micros(end):
        found.append(datetime.fromtimestamp(at / 1e6, UTC))
        at = schedule.next_after(at)
    return found


def expected(expression: str, zone: ZoneInfo, start: datetime, end: datetime, *, passing: bool) -> list[datetime]:
    """The same, minute by minute: each is asked what its local time is, and what local times it leaves out."""
    minutes, hours, *_ = croniter.expand(expression)[0]

    def fits(local: datetime) -> bool:
        return (minutes == ["*"] or local.minute in minutes) and (hours == ["*"] or local.hour in hours)

    found = []
    before = start.astimezone(zone)
    moment = start
    while (moment := moment + timedelta(minutes=1)) <= end:
        local = moment.astimezone(zone)
        naive = local.replace(tzinfo=None)
        since = before.replace(tzinfo=None)
        matches = fits(naive) and (passing or not local.fold)
        left_out = naive - since - timedelta(minutes=1)
        if left_out > timedelta(0) and not passing:
            step = since + timedelta(minutes=1)
            while step < naive:
                matches = matches or fits(step)
                step += timedelta(minutes=1)
        if matches:
            found.append(moment)
        before = local
    return found


@pytest.mark.parametrize("expression", [*PASSING, *NAMED])
@pytest.mark.parametrize(("name", "local"), [*FORWARD, *BACK])
def test_the_calendar_of_a_zone_is_followed_when_its_clocks_change(expression: str, name: str, local: str) -> None:
    zone = ZoneInfo(name)
    start = datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)
    end = start + timedelta(hours=12)
    told = moments(Schedule(expression, name), start, end)
    assert told == expected(expression, zone, start, end, passing=expression in PASSING)
    assert told, "the span is long enough for each"


def test_a_time_of_day_that_is_left_out_counts_as_the_moment_of_the_change() -> None:
    schedule = Schedule("30 2 * * *", "Europe/Vienna")
    days = moments(schedule, datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC))
    assert [day.isoformat() for day in days] == [
        "2026-03-28T01:30:00+00:00",
        "2026-03-29T01:00:00+00:00",  # 02:00, which is 03:00
        "2026-03-30T00:30:00+00:00",
    ]


def test_a_time_of_day_that_comes_twice_counts_once() -> None:
    schedule = Schedule("30 2 * * *", "Europe/Vienna")
    days = moments(schedule, datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert [day.isoformat() for day in days] == [
        "2026-10-24T00:30:00+00:00",
        "2026-10-25T00:30:00+00:00",
        "2026-10-26T01:30:00+00:00",
    ]


def test_the_second_pass_of_doubled_times_is_over_for_those_who_begin_within_it() -> None:
    """A server that starts then does not make the run of the first pass again."""
    within = datetime(2026, 10, 25, 1, 10, 30, tzinfo=UTC)  # 02:10:30, for the second time
    assert Schedule("*/30 2 * * *", "Europe/Vienna").next_after(micros(within)) == micros(
        datetime(2026, 10, 26, 1, 0, tzinfo=UTC)
    )
    assert Schedule("* * * * * */20", "Europe/Vienna").next_after(micros(within)) == micros(
        within + timedelta(seconds=10)
    )


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("* * * * * */15", "2026-11-26T04:00:15"),  # the seconds come last
        ("5 * * * * 30", "2026-11-26T04:05:30"),
        ("@daily", "2026-11-27T00:00:00"),
        ("0 12 * * MON-FRI", "2026-11-26T12:00:00"),
        ("0 0 13 * FRI", "2026-11-27T00:00:00"),  # one of the days has to fit
        ("0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 l * *", "2026-11-30T00:00:00"),
        ("0 0 1 jan *", "2027-01-01T00:00:00"),
    ],
)
def test_all_kinds_of_schedules_are_read(expression: str, first: str) -> None:
    now = micros(datetime(2026, 11, 26, 4, tzinfo=UTC))
    assert Schedule(expression, None).next_after(now) == micros(datetime.fromisoformat(f"{first}+00:00"))


def test_the_zone_of_the_process_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        now = micros(datetime(2026, 3, 8, 5, tzinfo=UTC))
        assert Schedule("30 2 * * *", None).next_after(now) == micros(datetime(2026, 3, 9, 2, 30, tzinfo=UTC))
    finally:
        monkeypatch.undo()
        time.tzset()


def test_of_all_that_has_passed_the_latest_is_found() -> None:
    schedule = Schedule("* 9 * * * *", "Europe/Vienna")  # each second from nine to ten
    first, last = datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC), datetime(2026, 4, 2, 12, tzinfo=UTC)
    assert schedule.latest_until(micros(first), micros(last)) == micros(datetime(2026, 4, 2, 7, 59, 59, tzinfo=UTC))
    alone = Schedule("0 0 1 1 *", None)
    assert alone.latest_until(micros(datetime(2026, 1, 1, tzinfo=UTC)), micros(last)) == micros(
        datetime(2026, 1, 1, tzinfo=UTC)
    )
    busy = Schedule("* * * * * *", None)
    assert busy.latest_until(micros(first), micros(last)) == micros(last)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("whenever", "five fields, nor six"),
        ("", "five fields, nor six"),
        ("@reboot", "columns"),
        ("0 0 1 1 * 0 2030", "five fields, nor six"),
        ("60 * * * *", "out of range"),
        ("*/0 * * * *", "A step of zero"),
        ("0-999999999 * * * *", "out of bands"),
        ("0 0 30 2 *", "There is no such date"),
        ("0 0 31 2,4,6,9,11 *", "There is no such date"),
        ("R * * * *", "not supported"),
        ("H/15 * * * *", "not supported"),
        ("\0 * * * *", "not acceptable"),
        ("١ * * * *", "characters that no field has"),
        ("* * * * " + ",".join(["1"] * LONGEST), f"more than {LONGEST} characters"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(Invalid, match=rf"(?s)Invalid cron schedule: .*{reason}.*Example"):
        Schedule(expression, None)


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "/etc/localtime", "\0", "x" * 5000, "utc+1"]
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"Invalid timezone: .*IANA"):
        Schedule("* * * * *", name)


def test_an_end_is_a_date_with_time() -> None:
    noon = micros(datetime(2027, 1, 31, 12, tzinfo=UTC))
    for text in ("2027-01-31T12:00:00Z", "2027-01-31t12:00:00z", "2027-01-31T13:00:00+01:00"):
        assert read_moment(text, "America/New_York") == noon
    assert read_moment("2027-01-31T07:00:00", "America/New_York") == noon
    assert read_moment("2027-01-31T12:00:00.25", None) == noon + 250_000
    for text in ("tomorrow", "2027-02-30T00:00:00Z", "2027-01-31T23:59:60Z", "0001-01-01T00:00:00+14:00x", ""):
        with pytest.raises(Invalid, match="end_time: "):
            read_moment(text, None)
