"""The long-term store over HTTP, with the stock clients: the one that graphs have."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

pytestmark = pytest.mark.postgres


async def test_an_item_is_put_got_searched_listed_and_deleted(client: LangGraphClient, tag: str) -> None:
    await client.store.put_item(["users", tag], "food", {"text": "dumplings", "stars": 4})
    item = await client.store.get_item(["users", tag], "food")
    assert (item["namespace"], item["key"], item["value"]) == (
        ["users", tag],
        "food",
        {"text": "dumplings", "stars": 4},
    )
    found: Any = await client.store.search_items(["users", tag], filter={"stars": {"$gte": 4}}, query="what is eaten")
    assert found["items"] == [{**item, "score": None}]
    listed: Any = await client.store.list_namespaces(prefix=["users"], suffix=[tag])
    assert listed["namespaces"] == [["users", tag]]
    await client.store.delete_item(["users", tag], "food")
    assert await client.store.get_item(["users", tag], "food") is None
    assert (await client.store.search_items(["users", tag]))["items"] == []


def test_the_sync_client_does_it_too(live_server: LiveServer, tag: str) -> None:
    with get_sync_client(url=live_server.url) as client:
        client.store.put_item([tag], "a", {"n": 1})
        client.store.put_item([tag, "below"], "b", {"n": 2})
        assert client.store.get_item([tag], "a", refresh_ttl=True)["value"] == {"n": 1}
        assert [item["key"] for item in client.store.search_items([tag], limit=1, offset=1)["items"]] == ["a"]
        listed: Any = client.store.list_namespaces(prefix=[tag], max_depth=1)
        assert listed["namespaces"] == [[tag]]
        client.store.delete_item([tag], "a")
        assert client.store.get_item([tag], "a") is None


async def test_what_nodes_put_clients_get_and_the_other_way(client: LangGraphClient, tag: str) -> None:
    await client.runs.wait(None, "storeful", input={"key": tag, "value": {"x": 1}})
    found: Any = await client.store.search_items([], filter={"x": 1}, limit=1000)
    (item,) = [item for item in found["items"] if item["key"] == tag]
    await client.store.put_item(item["namespace"], tag, {"x": 2})
    run: Any = await client.runs.wait(None, "storeful", input={"key": tag})
    assert run["read"] == {"before": {"x": 2}, "after": {"x": 2}}


async def test_an_item_with_a_lifetime_is_gone_when_it_is_over(client: LangGraphClient, tag: str) -> None:
    await client.store.put_item([tag], "short", {}, ttl=0)
    await client.store.put_item([tag], "long", {}, ttl=60)
    assert await client.store.get_item([tag], "short") is None
    assert [item["key"] for item in (await client.store.search_items([tag]))["items"]] == ["long"]


@pytest.mark.parametrize("key", ["a/b?c#d", "%2e%2e", "a.b", "'\"\\", "ä \U0001f600", "k" * 2048])
async def test_hostile_keys_are_texts(client: LangGraphClient, tag: str, key: str) -> None:
    await client.store.put_item([tag, key.replace(".", "")[:500]], key, {"key": key})
    found = await client.store.get_item([tag, key.replace(".", "")[:500]], key)
    assert (found["key"], found["value"]) == (key, {"key": key})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("PUT", "", {"namespace": [], "key": "k", "value": {}}, 400, "Namespace cannot be empty"),
        ("PUT", "", {"namespace": ["langgraph"], "key": "k", "value": {}}, 400, 'cannot be "langgraph"'),
        ("PUT", "", {"namespace": ["a.b"], "key": "k", "value": {}}, 422, "label 'a.b' must be a non-empty string"),
        ("PUT", "", {"namespace": [""], "key": "k", "value": {}}, 422, "label '' must be"),
        ("PUT", "", {"namespace": ["a"] * 33, "key": "k", "value": {}}, 422, "body.namespace"),
        ("PUT", "", {"namespace": ["a" * 513], "key": "k", "value": {}}, 422, "body.namespace[0]"),
        ("PUT", "", {"namespace": ["a"], "key": "k" * 2049, "value": {}}, 422, "body.key"),
        ("PUT", "", {"namespace": ["a"], "key": "k\0", "value": {}}, 422, "NUL"),
        ("PUT", "", {"namespace": ["a"], "key": "k", "value": {}, "ttl": -1}, 422, "body.ttl"),
        ("PUT", "", {"namespace": ["a"], "key": "k", "value": {}, "ttl": 1e300}, 422, "body.ttl"),
        ("PUT", "", {"namespace": ["a"], "key": "k", "value": {}, "index": True}, 422, "body.index"),
        ("PUT", "", {"namespace": ["a"], "key": "k", "value": {"t": "x" * 8_400_000}}, 422, "8,388,608"),
        ("GET", "?key=k&namespace=a..b", None, 422, "label '' must be"),
        ("GET", "?namespace=a", None, 400, "query.key is required"),
        ("DELETE", "", {"namespace": ["a.b"], "key": "k"}, 422, "label 'a.b' must be"),
        ("POST", "/search", {"filter": {"a": {"$near": 1}}}, 422, "filter.a: '$near' is not known"),
        ("POST", "/search", {"namespace_prefix": ["a", ""]}, 422, "namespace_prefix: Namespace label ''"),
        ("POST", "/search", {"limit": 1001}, 422, "body.limit"),
        ("POST", "/search", {"offset": -1}, 422, "body.offset"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(
    http: httpx.AsyncClient, method: str, path: str, body: Any, status: int, said: str
) -> None:
    answer = await http.request(method, f"/store/items{path}", json=body)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text[:500]


async def test_namespaces_may_be_named_by_dots_or_one_label_each(http: httpx.AsyncClient, tag: str) -> None:
    await http.put("/store/items", json={"namespace": [tag, "a", "b"], "key": "k", "value": {"n": 1}})
    for names in ([f"{tag}.a.b"], [tag, "a", "b"], [tag, "a.b"]):
        answer = await http.get("/store/items", params={"key": "k", "namespace": names})
        assert answer.json()["value"] == {"n": 1}


async def test_without_a_namespace_there_is_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.get("/store/items", params={"key": "k"})
    assert (answer.status_code, answer.json()) == (200, None)
    assert (await http.request("DELETE", "/store/items", json={"key": "k"})).status_code == 204


async def test_a_limit_of_zero_is_the_default(http: httpx.AsyncClient, tag: str) -> None:
    puts = [{"namespace": [tag], "key": str(number), "value": {}} for number in range(12)]
    await asyncio.gather(*(http.put("/store/items", json=put) for put in puts))
    answer = await http.post("/store/items/search", json={"namespace_prefix": [tag], "limit": 0})
    assert len(answer.json()["items"]) == 10
