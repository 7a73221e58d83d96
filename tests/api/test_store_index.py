"""Clients and nodes find items of the store by what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

from tests.live_server import LiveServer, StartServer, poll
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema

HERE = Path(__file__).parents[1] / "sample_projects" / "remembering"


def keys(server: LiveServer, user: str, query: str) -> list[str]:
    with get_sync_client(url=server.url) as client:
        return [item["key"] for item in client.store.search_items([user], query=query)["items"]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.full)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables that say where everything is kept."""
    if request.param == "sqlite":
        yield {}
        return
    yield {"RUNYARD_DATABASE": address(), "RUNYARD_DATABASE_SCHEMA": schema_of(tmp_path)}
    clear_schema(tmp_path)


@pytest.mark.parametrize("workers", ["1", pytest.param("0", marks=pytest.mark.full)])
def test_what_one_puts_the_other_finds(start_server: StartServer, workers: str, database: dict[str, str]) -> None:
    server = start_server(config=HERE / "langgraph.json", args=("--workers", workers), env=database)
    with get_sync_client(url=server.url) as client:
        client.store.put_item(["ada"], "trip", {"text": "by train along the river"})
        client.store.put_item(["ada"], "hidden", {"text": "soup"}, index=False)
        tell = {"food": "eats dumplings", "place": "a house at the lake"}
        state: Any = {"user": "ada", "tell": tell, "ask": "Where is water?"}
        run: Any = client.runs.wait(None, "remembering", input=state)
        assert run["recalled"] == run["recalled_sync"] == ["place", "trip"]
        found: Any = client.store.search_items(["ada"], query="What to eat?", limit=1)
        assert [item["key"] for item in found["items"]] == ["food"]
        assert found["items"][0]["score"] == pytest.approx(1.0, abs=0.01)
        only = client.store.search_items(["ada"], query="eat", filter={"text": {"$ne": "eats dumplings"}})["items"]
        assert {item["key"] for item in only} == {"place", "trip"}
    with httpx.Client(base_url=server.url, timeout=60) as http:
        put = {"namespace": ["ada"], "key": "bad", "value": {"text": "unspeakable"}}
        for answer in (
            http.put("/store/items", json=put),
            http.post("/store/items/search", json={"query": "unspeakable"}),
        ):
            detail = answer.json()["detail"]
            assert answer.status_code == 503
            assert "store.index.embed (./meanings.py:asynchronous): failed: ValueError: there are no words" in detail
        assert http.get("/store/items", params={"namespace": "ada", "key": "bad"}).json() is None


@pytest.mark.full
def test_a_changed_index_is_made_anew_after_a_restart(start_server: StartServer, database: dict[str, str]) -> None:
    server = start_server(config=HERE / "langgraph.json", args=("--workers", "1"), env=database)
    with get_sync_client(url=server.url) as client:
        client.store.put_item(["ada"], "trip", {"text": "by train", "title": "river"})
    assert keys(server, "ada", "water") == ["trip"]
    server.stop()
    changed = start_server(config=HERE / "changed.json", args=("--workers", "1"), env=database)
    poll(lambda: keys(changed, "ada", "water") == ["trip"])
    assert "1 items are not in the index of ./meanings.py:wider with 6 dimensions" in changed.log.read_text()


@pytest.mark.full
def test_a_project_whose_embeddings_cannot_be_loaded_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "langgraph.json"
    config.write_text(
        (HERE / "langgraph.json").read_text().replace("asynchronous", "missing").replace('"./', f'"{HERE}/')
    )
    server = LiveServer(tmp_path / "data", config=config, args=("--workers", "1"))
    try:
        with pytest.raises(AssertionError):
            server.start()
        assert "has no 'missing'" in server.log.read_text()
    finally:
        server.close()
