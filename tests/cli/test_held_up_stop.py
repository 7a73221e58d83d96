"""A stop ends, though code of the project blocks the event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runyard.handlers.cli import held_up_stop
from runyard.handlers.cli.held_up_stop import HeldUpStop
from tests.live_server import poll

from .processes import Start

PROJECT = Path(__file__).parents[1] / "sample_projects" / "failing_app"


async def test_an_event_loop_that_does_not_answer_is_ended_with_its_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(held_up_stop, "ANSWER", 0.01)
    ended = threading.Event()
    HeldUpStop(asyncio.get_running_loop(), ended.set).begin(0)
    assert ended.wait(60)  # blocks the loop
    assert "code of the project blocks the event loop" in caplog.text


class Asked:
    """An event loop that counts how often it is asked."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.times = 0
        self.often = asyncio.Event()

    def call_soon_threadsafe(self, call: Callable[..., Any], *arguments: Any) -> object:
        return self._loop.call_soon_threadsafe(self._called, call, *arguments)

    def _called(self, call: Callable[..., Any], *arguments: Any) -> None:
        call(*arguments)
        self.times += 1
        if self.times == 3:
            self.often.set()


async def test_one_that_answers_has_all_the_time_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_up_stop, "PAUSE", 0.01)
    monkeypatch.setattr(held_up_stop, "ANSWER", 60)
    loop, ended = Asked(), threading.Event()
    HeldUpStop(loop, ended.set).begin(0)  # type: ignore[arg-type]
    await loop.often.wait()
    assert not ended.is_set()


@pytest.mark.full
def test_a_signal_ends_a_start_that_a_lifespan_blocks(start: Start, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    options = ("--config", PROJECT / "langgraph.json", "--port", "0", "--data", tmp_path / "data", "--workers", "0")
    process = start("serve", *options, FAILS="blocks at the beginning", BEGUN=str(begun))
    assert poll(begun.exists, within=60)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert (process.returncode, said) == (1, b"")
    assert b"the stop is held up: code of the project blocks the event loop" in errors
