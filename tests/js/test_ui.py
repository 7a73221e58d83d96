"""Components of a project: built with Node and its bundler, and shown by a page that uses the stock client."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.chromium import open_page
from tests.js.pages import build_page, served
from tests.live_server import LiveServer
from tests.programs import require_browser

HERE = Path(__file__).parent
PROJECT = HERE.parent / "sample_projects" / "with_ui"
KEY = "key-of-the-page-that-shows"
SHOWN = "[...document.querySelectorAll('div')].map((item) => item.shadowRoot?.querySelector('button')).find(Boolean)"


@pytest.fixture(scope="module")
def server(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Serves the project to whoever has the key, with the packages of the tests as the project's own."""
    folder = tmp_path_factory.mktemp("ui")
    project = shutil.copytree(PROJECT, folder / "project")
    (project / "node_modules").symlink_to(HERE / "node_modules")
    env = {"RUNYARD_API_KEYS": KEY}
    server = LiveServer(folder / "data", config=project / "langgraph.json", args=("--workers", "1"), env=env)
    server.http.headers["x-api-key"] = KEY
    try:
        yield server.start()
    finally:
        server.close()


def tags_of(server: LiveServer) -> str:
    answer = server.http.post(f"{server.url}/ui/agent", json={"name": "weather"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_a_page_loads_needs_no_credentials_but_its_address(server: LiveServer) -> None:
    tags = tags_of(server)
    del server.http.headers["x-api-key"]
    try:
        assert server.http.post(f"{server.url}/ui/agent", json={"name": "weather"}).status_code == 401
        script, styles = (
            server.http.get(f"{server.url}{found[0]}").text
            for found in (re.search(r"/ui/agent/\w+/entrypoint\.js", tags), re.search(r"/ui/\S+\.css", tags))
            if found is not None
        )
    finally:
        server.http.headers["x-api-key"] = KEY
    assert script.startswith("var __LGUI_agent")
    assert 'Symbol.for("LGUI_REQUIRE")' in script  # React is the page's
    assert 'require("greetings")' in script
    assert ".bg-red-500" in styles


async def test_what_is_shown_is_streamed_and_part_of_the_state(server: LiveServer) -> None:
    client = get_client(url=server.url, api_key=KEY)
    parts = [part async for part in client.runs.stream(None, "agent", input={}, stream_mode=["custom", "values"])]
    shown: list[Any] = [part.data for part in parts if part.event == "custom"]
    assert [item["type"] for item in shown] == ["ui", "ui", "ui", "remove-ui"]
    assert (shown[0]["id"], shown[0]["name"], shown[0]["props"]) == (
        "weather",
        "weather",
        {"city": "Oslo", "degrees": 3},
    )
    assert [item["metadata"]["message_id"] for item in shown[:3]] == ["answer"] * 3
    last: Any = [part.data for part in parts if part.event == "values"][-1]
    assert [(item["id"], item["props"]) for item in last["ui"]] == [("weather", {"city": "Oslo", "degrees": 4})]


@pytest.mark.parametrize("by_id", [False, True])
async def test_a_page_shows_a_component(node: Path, server: LiveServer, tmp_path: Path, by_id: bool) -> None:
    chromium = require_browser(why="a page with components")
    (assistant,) = server.post("/assistants/search", {"graph_id": "agent"})
    name = assistant["assistant_id"] if by_id else "agent"
    build_page(node, HERE / "ui_page" / "page.tsx", tmp_path / "page")
    with served(tmp_path / "page") as address:
        async with open_page(chromium) as page:
            await page.open(f"{address}?server={server.url}&assistant={name}&key={KEY}")
            await page.until("document.querySelector('#ask')?.click() ?? document.querySelector('#ask') !== null")
            text = await page.until(f"{SHOWN}?.innerText")
            assert text == "Greetings from Oslo: 4 degrees, 0 clicks"
            assert await page.ask(f"{SHOWN}.dataset.place") == "page"
            await page.ask(f"{SHOWN}.click()")
            await page.until(f"{SHOWN}.innerText.endsWith('1 clicks')")
            await page.until(f"!['', 'rgba(0, 0, 0, 0)'].includes(getComputedStyle({SHOWN}).backgroundColor)")
            assert page.problems == []
