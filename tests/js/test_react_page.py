"""A conversation in a page with @langchain/react, in Chromium: what it shows is whole, and there once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.chromium import Page, open_page
from tests.gate import Gate
from tests.js.pages import build_page, served
from tests.live_server import LiveServer, StartServer
from tests.programs import require_browser

HERE = Path(__file__).parent
PROJECT = HERE.parent / "sample_projects" / "chat" / "langgraph.json"

pytestmark = [pytest.mark.full, pytest.mark.parametrize("transport", ["sse", "websocket"])]


@pytest.fixture(scope="module")
def chromium() -> Path:
    return require_browser(why="a page with @langchain/react")


@pytest.fixture(scope="module")
def address(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("react") / "page"
    build_page(node, HERE / "react_page" / "page.tsx", folder)
    with served(folder) as address:
        yield address


@pytest.fixture
def server(start_server: StartServer) -> LiveServer:
    return start_server(config=PROJECT, args=("--workers", "1"))


class Chat:
    """The conversation that a page shows."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def write(self, text: str, button: str) -> None:
        """Writes into the field and presses a button, once the page has both."""
        await self.page.until(f"document.querySelector('#{button}') !== null")
        setter = "Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set"
        await self.page.ask(
            f"(() => {{ const field = document.querySelector('input'); {setter}.call(field, {json.dumps(text)});"
            " field.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        await self.page.until(f"document.querySelector('input').value === {json.dumps(text)}")
        await self.page.ask(f"document.querySelector('#{button}').click()")

    async def shows(self, *messages: str, status: str | None = None) -> None:
        """Returns once the page shows exactly these messages, and the status."""
        shown = "JSON.stringify([...document.querySelectorAll('li')].map((item) => item.innerText))"
        wanted = json.dumps(json.dumps(messages, ensure_ascii=False, separators=(",", ":")))
        also = "" if status is None else f" && document.querySelector('#status').innerText === '{status}'"
        await self.page.until(f"{shown} === {wanted}{also}")

    async def is_asked(self) -> None:
        """Returns once the page shows the question."""
        await self.page.until("document.querySelector('#question')?.innerText === 'Who are you?'")

    async def is_reconnected(self) -> None:
        """Returns once the page has asked for its events again, after its connection had broken off."""
        await self.page.until("document.querySelector('#connected').innerText === 'reconnected'")


@asynccontextmanager
async def chat(chromium: Path, address: str, server: LiveServer, transport: str) -> AsyncIterator[Chat]:
    async with open_page(chromium) as page:
        await page.open(f"{address}?server={server.url}&transport={transport}")
        yield Chat(page)


async def test_an_answer_is_streamed_and_a_question_answered(
    chromium: Path, address: str, server: LiveServer, gate: Gate, transport: str
) -> None:
    async with chat(chromium, address, server, transport) as talk:
        said = f"human: Hello hold {gate.path}"
        await talk.write(f"Hello hold {gate.path}", "send")
        await talk.shows(said, "ai: You said Hello", status="busy")
        gate.open()
        whole = "ai: You said Hello and that is all"
        await talk.shows(said, whole)
        await talk.is_asked()
        await talk.write("Ann", "answer")
        await talk.shows(said, whole, "ai: Goodbye, Ann", status="idle")
        await talk.write("Again", "send")
        again = ("human: Again", "ai: You said Again and that is all")
        await talk.shows(said, whole, "ai: Goodbye, Ann", *again)
        await talk.is_asked()
        assert talk.page.problems == []


async def test_a_page_that_is_reloaded_in_the_middle_of_a_run_goes_on(
    chromium: Path, address: str, server: LiveServer, gate: Gate, transport: str
) -> None:
    async with chat(chromium, address, server, transport) as talk:
        said = f"human: Hello hold {gate.path}"
        await talk.write(f"Hello hold {gate.path}", "send")
        await talk.shows(said, "ai: You said Hello")
        await talk.page.reload()
        await talk.shows(said, "ai: You said Hello")
        gate.open()
        whole = "ai: You said Hello and that is all"
        await talk.shows(said, whole)
        await talk.is_asked()
        await talk.page.reload()
        await talk.shows(said, whole)
        await talk.is_asked()
        await talk.write("Ann", "answer")
        await talk.shows(said, whole, "ai: Goodbye, Ann", status="idle")
        await talk.page.reload()
        await talk.shows(said, whole, "ai: Goodbye, Ann", status="idle")


async def test_a_page_outlives_the_server(
    chromium: Path, address: str, server: LiveServer, gate: Gate, transport: str
) -> None:
    async with chat(chromium, address, server, transport) as talk:
        said = f"human: Hello hold {gate.path}"
        await talk.write(f"Hello hold {gate.path}", "send")
        await talk.shows(said, "ai: You said Hello")
        port = int(server.url.rpartition(":")[2])
        server.kill_group()
        server.start(port=port)
        await talk.is_reconnected()
        gate.open()
        whole = "ai: You said Hello and that is all"
        await talk.shows(said, whole)
        await talk.is_asked()
        await talk.write("Ann", "answer")
        await talk.shows(said, whole, "ai: Goodbye, Ann", status="idle")


async def test_a_page_that_comes_back_after_the_server_did_shows_all(
    chromium: Path, address: str, server: LiveServer, gate: Gate, transport: str
) -> None:
    async with chat(chromium, address, server, transport) as talk:
        said = f"human: Hello hold {gate.path}"
        await talk.write(f"Hello hold {gate.path}", "send")
        await talk.shows(said, "ai: You said Hello")
        port = int(server.url.rpartition(":")[2])
        server.kill_group()
        server.start(port=port)
        await talk.page.reload()
        gate.open()
        whole = "ai: You said Hello and that is all"
        await talk.shows(said, whole)
        await talk.is_asked()
        await talk.write("Ann", "answer")
        await talk.shows(said, whole, "ai: Goodbye, Ann", status="idle")


async def test_a_page_whose_run_ended_while_it_was_away_shows_all(
    chromium: Path, address: str, server: LiveServer, gate: Gate, transport: str
) -> None:
    async with chat(chromium, address, server, transport) as talk:
        said = f"human: Hello hold {gate.path}"
        await talk.write(f"Hello hold {gate.path}", "send")
        await talk.shows(said, "ai: You said Hello")
        port = int(server.url.rpartition(":")[2])
        server.kill_group()
        gate.open()
        server.start(port=port)
        await talk.shows(said, "ai: You said Hello and that is all")
        await talk.is_asked()
