"""Which seed a test run starts from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fuzz_seed import FIXED_SEED, SEED_VARIABLE, fuzz_seed_of


class Run:
    """As much of pytest's configuration as matters here."""

    def __init__(self, *, full: bool) -> None:
        self.stash = pytest.Stash()
        self.full = full

    def getoption(self, name: str) -> Any:
        assert name == "--full"
        return self.full


def seed(monkeypatch: pytest.MonkeyPatch, *, full: bool, environment: dict[str, str] | None = None) -> int:
    for name in (SEED_VARIABLE, "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (environment or {}).items():
        monkeypatch.setenv(name, value)
    run: Any = Run(full=full)
    chosen = fuzz_seed_of(run)
    assert fuzz_seed_of(run) == chosen, "it holds for the whole run"
    return chosen


def test_it_is_fixed_by_default_and_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seed(monkeypatch, full=False) == FIXED_SEED
    assert seed(monkeypatch, full=True, environment={"CI": "true"}) == FIXED_SEED


def test_a_full_run_breaks_new_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({seed(monkeypatch, full=True) for _ in range(3)}) > 1


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seed(monkeypatch, full=True, environment={"CI": "true", SEED_VARIABLE: "7"}) == 7
