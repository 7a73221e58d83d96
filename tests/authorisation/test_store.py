"""Whose items an operation on the store means is up to the project's handlers, which check or set the namespace."""

from __future__ import annotations

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import Backend, KeptServer, LiveServer

from .users import PROJECTS, User, claims

pytestmark = pytest.mark.postgres


async def namespaces(client: LangGraphClient, prefix: list[str] | None = None) -> list[list[str]]:
    return (await client.store.list_namespaces(prefix))["namespaces"]


async def keys(client: LangGraphClient, prefix: tuple[str, ...]) -> list[str]:
    return [item["key"] for item in (await client.store.search_items(prefix, limit=100))["items"]]


async def test_a_namespace_that_a_handler_sets_is_the_one_that_counts(ann: User, bob: User) -> None:
    mine, theirs = ann.client, bob.client
    await mine.store.put_item(["notes"], "n", {"text": "of ann"})
    await theirs.store.put_item(["notes"], "n", {"text": "of bob"})
    for client, name in ((mine, "ann"), (theirs, "bob")):
        for namespace in (["notes"], [name, "notes"]):
            item = await client.store.get_item(namespace, "n")
            assert (item["namespace"], item["value"]) == ([name, "notes"], {"text": f"of {name}"})
        assert [item["namespace"] for item in (await client.store.search_items(()))["items"]] == [[name, "notes"]]
        assert await namespaces(client) == [[name, "notes"]]


async def test_no_namespace_leads_to_the_items_of_somebody_else(ann: User, bob: User) -> None:
    mine, theirs = ann.client, bob.client
    await theirs.store.put_item(["secrets"], "s", {"text": "of bob"})
    for namespace in (
        ["bob", "secrets"],
        ["secrets"],
        ["ann"],
        ["*", "secrets"],
        ["%", "_"],
    ):
        answer = ann.ask("GET", "/store/items", params={"namespace": namespace, "key": "s"})
        assert (answer.status_code, answer.text) == (200, "null")
        await mine.store.delete_item(namespace, "s")
        assert "s" not in await keys(mine, tuple(namespace))
    for prefix in ([], ["bob"], ["*"], ["b"], ["ann", "*"]):
        assert all(namespace[0] == "ann" for namespace in await namespaces(mine, prefix))
    assert (await theirs.store.get_item(["secrets"], "s"))["value"] == {"text": "of bob"}


async def test_a_namespace_is_no_part_of_a_longer_name(ann: User, owners: LiveServer) -> None:
    await ann.client.store.put_item(["team"], "own", {})
    await ann.client.store.put_item(["teams"], "other", {})
    assert await keys(ann.client, ("team",)) == ["own"]
    assert await namespaces(ann.client, ["team"]) == [["ann", "team"]]


def test_a_handler_may_check_the_namespace(strict: LiveServer) -> None:
    ann, bob = (User(strict, {"x-user": name}) for name in ("ann", "bob"))
    item = {"namespace": ["ann", "a"], "key": "k", "value": {"n": 1}}
    assert ann.ask("PUT", "/store/items", item).status_code == 204
    assert ann.get("/store/items?namespace=ann.a&key=k")["value"] == {"n": 1}
    for user, namespace in ((bob, "ann"), (ann, "bob")):
        for answer in (
            user.ask("PUT", "/store/items", {**item, "namespace": [namespace, "a"]}),
            user.ask("GET", f"/store/items?namespace={namespace}.a&key=k"),
            user.ask("POST", "/store/items/search", {"namespace_prefix": [namespace]}),
        ):
            assert (answer.status_code, answer.json()) == (403, {"detail": "Not authorized"})
    for answer in (
        ann.ask("DELETE", "/store/items", {"namespace": ["ann", "a"], "key": "k"}),
        ann.ask("POST", "/store/namespaces", {}),
    ):
        assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"})


def test_a_filter_gives_nobody_the_whole_store(shared: LiveServer) -> None:
    ann = User(shared, claims("ann", tenant="red"))
    answer = ann.ask("POST", "/store/items/search", {})
    assert answer.status_code == 403
    assert "@auth.on.store" in answer.json()["detail"]


@pytest.fixture(scope="module")
def named(servers: KeptServer, backend: Backend) -> LiveServer:
    """A server whose users call themselves as they like."""
    return servers(PROJECTS / "named" / "langgraph.json", backend, 1)


def called(server: LiveServer, identity: str) -> User:
    return User(server, {"x-user": identity})


def test_a_user_who_is_called_like_a_wildcard_has_one_namespace(named: LiveServer) -> None:
    star, ann = called(named, "*"), called(named, "ann")
    for user in (star, ann):
        assert user.ask("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}}).status_code == 204
    for prefix in ([], ["*"], ["*", "a"], ["*", "*"], ["a"]):
        assert {labels[0] for labels in star.post("/store/namespaces", {"prefix": prefix})["namespaces"]} <= {"*"}
    assert star.post("/store/namespaces", {"prefix": ["a"]})["namespaces"] == [["*", "a"]]
    assert ann.post("/store/namespaces", {"prefix": ["*"]})["namespaces"] == [["ann", "a"]]
    for path, body in (("/store/items/search", {"namespace_prefix": ["*"]}), ("/store/items/search", {})):
        assert [item["namespace"] for item in star.post(path, body)["items"]] == [["*", "a"]]


def test_a_user_whose_name_has_dots_is_not_below_another(named: LiveServer) -> None:
    ann, dotted = called(named, "ann"), called(named, "ann.mail")
    item = {"namespace": ["mail"], "key": "k", "value": {"of": "ann"}}
    assert ann.ask("PUT", "/store/items", item).status_code == 204
    for answer in (
        dotted.ask("GET", "/store/items?key=k"),
        dotted.ask("GET", "/store/items?namespace=ann.mail&key=k"),
        dotted.ask("PUT", "/store/items", item),
        dotted.ask("DELETE", "/store/items", {"namespace": [], "key": "k"}),
        dotted.ask("POST", "/store/items/search", {}),
        dotted.ask("POST", "/store/namespaces", {}),
    ):
        assert (answer.status_code, "without periods" in answer.text) == (422, True), answer.text
    assert ann.get("/store/items?namespace=mail&key=k")["value"] == {"of": "ann"}
