"""Whose lease has run out is dead only if somebody looked on meanwhile."""

from __future__ import annotations

from runyard.runtime.storage.postgres.workers.worker_leases import Watch

SECONDS = 10.0


def seen(watch: Watch, renewed: int, *moments: float) -> list[bool]:
    """Whether one worker, which last renewed its lease then, is silent at each of those moments."""
    return ["w" in watch.silent([("w", renewed, SECONDS)], moment) for moment in moments]


def test_a_worker_is_silent_when_a_lease_has_passed_since_its_renewal_was_seen() -> None:
    moments = [100.0 + second for second in range(12)]
    assert seen(Watch(), 1, *moments).index(True) == 9


def test_a_renewal_ends_the_silence() -> None:
    watch = Watch()
    seen(watch, 1, *(100.0 + second for second in range(9)))
    assert not any(seen(watch, 2, 109.0, 110.0, 111.0))


def test_a_process_that_has_just_begun_to_look_knows_nobody_dead() -> None:
    assert seen(Watch(), 1, 100.0) == [False]


def test_who_could_not_look_for_long_begins_anew() -> None:
    watch = Watch()
    seen(watch, 1, *(100.0 + second for second in range(9)))
    later = [140.0 + second for second in range(12)]  # the database was away
    assert seen(watch, 1, *later).index(True) == 9


def test_a_short_gap_is_of_no_matter() -> None:
    assert seen(Watch(), 1, 100.0, 103.0, 106.0, 109.0)[-1]
