"""The lifespan of an ASGI application: around what is served, in one task, within bounds."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from runyard.runtime.config.project import Project
from runyard.runtime.errors import ConfigError
from runyard.runtime.webapp import lifespan as module
from runyard.runtime.webapp import waiting
from runyard.runtime.webapp.lifespan import Lifespan

PROJECT = Project(path=Path("langgraph.json"), directory=Path(__file__).parent, graphs={}, import_paths=())


def lifespan_of(app: Any, *, timeout: float = 5) -> Lifespan:
    return Lifespan(app, PROJECT, "http.app", timeout=timeout)


def with_lifespan(*, first: Any = None, last: Any = None) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        task = asyncio.current_task()
        if first is not None:
            await first()
        yield {"pool": "open"}
        assert asyncio.current_task() is task
        if last is not None:
            await last()

    return Starlette(lifespan=lifespan)


async def fail() -> None:
    raise ConnectionError("no\ndatabase")


async def leave_the_process() -> None:
    raise SystemExit(3)


async def hang() -> None:
    await asyncio.Event().wait()


async def test_it_gives_state_to_requests_and_ends_in_the_task_that_it_began_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def end() -> None:
        ended.set()

    lifespan = lifespan_of(with_lifespan(last=end))
    await lifespan.enter()
    assert lifespan.state == {"pool": "open"}
    await lifespan.leave()
    assert ended.is_set()
    await lifespan.leave()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("first", "said"), [(fail, "ConnectionError: no database"), (leave_the_process, "SystemExit: 3")]
)
async def test_a_beginning_that_fails_is_said_in_one_line(first: Any, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        await lifespan_of(with_lifespan(first=first)).enter()
    assert refusal.value.detail.startswith("http.app: its lifespan failed (test_lifespan.py, line ")
    assert refusal.value.detail.endswith(said)
    assert "\n" not in refusal.value.detail


async def test_one_that_is_never_ready_is_not_waited_for() -> None:
    with pytest.raises(ConfigError, match=r"its lifespan is not ready after 0.01 s; .*RUNYARD_LIFESPAN_TIMEOUT"):
        await lifespan_of(with_lifespan(first=hang), timeout=0.01).enter()


async def test_an_end_that_fails_or_hangs_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LEAVING", 0.01)
    for last, said in ((fail, "the end of its lifespan failed"), (hang, "its lifespan has not ended after 0.01 s")):
        lifespan = lifespan_of(with_lifespan(last=last))
        await lifespan.enter()
        with caplog.at_level(logging.WARNING):
            await lifespan.leave()
        assert said in caplog.text


class Heard(logging.Handler):
    """What was said, whose events can be waited for as long as it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.said, self.said_what_blocks = threading.Event(), threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.said.set()
        if "blocks the event loop" in record.getMessage():
            self.said_what_blocks.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, logger = Heard(), logging.getLogger(waiting.__name__)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.parametrize("end", ["beginning", "end"])
async def test_one_that_blocks_its_process_is_spoken_of(
    monkeypatch: pytest.MonkeyPatch, heard: Heard, end: str
) -> None:
    monkeypatch.setattr(module, "SLOW", 0.01)
    monkeypatch.setattr(module, "LEAVING", 120)
    monkeypatch.setattr(waiting, "ANSWER", 0.01)

    async def block() -> None:
        assert heard.said_what_blocks.wait(60)

    lifespan = lifespan_of(with_lifespan(**{"first" if end == "beginning" else "last": block}), timeout=120)
    await lifespan.enter()
    await lifespan.leave()
    said = f"http.app: the {end} of its lifespan blocks the event loop of its process (test_lifespan.py, line "
    assert [message for message in heard.messages if message.startswith(said)]


async def test_one_that_is_waited_for_is_spoken_of(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    monkeypatch.setattr(module, "SLOW", 0.01)
    monkeypatch.setattr(waiting, "ANSWER", 60)

    async def wait() -> None:
        await asyncio.to_thread(heard.said.wait, 60)

    await lifespan_of(with_lifespan(first=wait), timeout=120).enter()
    assert heard.messages[0] == (
        "http.app: the beginning of its lifespan is not over after 0.01 s; it is waited for until 120 s are over"
        " (RUNYARD_LIFESPAN_TIMEOUT)"
    )


async def no_lifespans(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def deaf_to_them(scope: Any, receive: Any, send: Any) -> None:
    return None


@pytest.mark.parametrize("app", [no_lifespans, deaf_to_them])
async def test_an_application_may_know_no_lifespans(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    lifespan = lifespan_of(app)
    await lifespan.enter()
    await lifespan.leave()
    assert caplog.text == ""


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "Traceback\nno database"})
    await asyncio.Event().wait()


async def test_a_refusal_without_an_exception_has_its_message() -> None:
    with pytest.raises(ConfigError, match=r"http\.app: its lifespan failed: no database"):
        await lifespan_of(refusing).enter()
