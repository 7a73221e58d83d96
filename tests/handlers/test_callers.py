"""Pages of which origins may use the server, by which names it is called, and what browsers are told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runyard.runtime.config.project import CorsPolicy

from .asgi_client import connected
from .fakes.runtime import FakeRuntime

PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-api-key",
    "access-control-request-private-network": "true",
}
ELSEWHERE = "https://studio.example"
LOCAL = [
    "http://localhost",
    "http://localhost:3000",
    "https://LOCALHOST:3000",
    "http://127.0.0.1:5173",
    "http://127.8.8.8",
    "http://[::1]:3000",
]
FOREIGN = [
    ELSEWHERE,
    "http://localhost.example",
    "http://localhost@evil.example",
    "http://127.0.0.1.evil.example",
    "http://192.168.1.1",
    "http://[::2]",
    "https://0.0.0.0",
    "chrome-extension://abc",
    "null",
    "",
    "http://",
    "localhost",
    "http://localhost http://evil.example",
]


async def preflight(client: httpx.AsyncClient, origin: str) -> httpx.Response:
    return await client.options("/runs/batch", headers={**PREFLIGHT, "origin": origin})


@pytest.mark.parametrize("origin", LOCAL)
async def test_pages_of_this_machine_may_use_the_server(client: httpx.AsyncClient, origin: str) -> None:
    response = await client.get("/ok", headers={"origin": origin})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["vary"] == "Origin"
    exposed = response.headers["access-control-expose-headers"].lower().split(", ")
    assert {"location", "content-location", "x-pagination-total", "x-pagination-next", "idempotency-replayed"} <= set(
        exposed
    )
    assert "access-control-allow-credentials" not in response.headers

    asked = await preflight(client, origin)
    assert asked.status_code == 200
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert asked.headers["access-control-allow-headers"] == "content-type,x-api-key"
    assert asked.headers["access-control-allow-private-network"] == "true"
    assert asked.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", FOREIGN)
async def test_pages_of_other_origins_are_refused(client: httpx.AsyncClient, origin: str) -> None:
    asked = await preflight(client, origin)
    assert asked.status_code == 403
    assert not [name for name in asked.headers if name.startswith("access-control")]
    response = await client.get("/ok", headers={"origin": origin})
    assert response.status_code == 403
    assert "--allow-origin" in response.json()["detail"]
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/", "/docs", "/threads/search", "/nowhere"])
async def test_a_foreign_page_is_refused_with_every_method_and_path(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, path, headers={"origin": ELSEWHERE})
    assert response.status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json", ""])
async def test_no_content_type_passes_by_the_check_and_nothing_is_executed(kind: str) -> None:
    runtime = FakeRuntime()
    async with connected(runtime) as client:
        for path in ("/runs", "/runs/stream", "/runs/batch"):
            body = '{"assistant_id": "chain"}' if path != "/runs/batch" else '[{"assistant_id": "chain"}]'
            headers = {"origin": ELSEWHERE, "content-type": kind}
            assert (await client.post(path, content=body, headers=headers)).status_code == 403
            assert (await client.post(path, content=body, headers={"content-type": kind})).status_code == 200


async def test_errors_can_be_read_by_browsers_too(client: httpx.AsyncClient) -> None:
    for path in ("/nope", "/threads/nope"):
        response = await client.get(path, headers={"origin": LOCAL[0]})
        assert response.headers["access-control-allow-origin"] == LOCAL[0]


async def test_pages_of_the_server_itself_may_use_it_whatever_it_is_called() -> None:
    async with connected(FakeRuntime(settings={"host": "0.0.0.0"})) as client:
        own = {"host": "agent.example:8123", "origin": "http://Agent.example:8123"}
        assert (await client.post("/runs", json={"assistant_id": "chain"}, headers=own)).status_code == 200
        for origin in ("http://agent.example", "http://agent.example:81"):
            assert (await client.get("/ok", headers={**own, "origin": origin})).status_code == 403


@pytest.mark.parametrize(
    "options",
    [
        {"settings": {"allow_origin": (ELSEWHERE,)}},
        {"settings": {"allow_origin": (f"{ELSEWHERE}/",)}},
        {"cors": CorsPolicy(allow_origins=("https://other.example", ELSEWHERE))},
        {"cors": CorsPolicy(allow_origin_regex=r"https://.*\.example")},
    ],
    ids=["setting", "with a slash", "project", "pattern"],
)
async def test_named_origins_may_use_the_server_and_its_private_network(options: dict[str, Any]) -> None:
    async with connected(FakeRuntime(**options)) as client:
        response = await client.get("/ok", headers={"origin": ELSEWHERE})
        assert response.headers["access-control-allow-origin"] == ELSEWHERE
        assert (await preflight(client, ELSEWHERE)).headers["access-control-allow-private-network"] == "true"
        assert (await client.get("/ok", headers={"origin": LOCAL[0]})).status_code == 200
        assert (await client.get("/ok", headers={"origin": f"{ELSEWHERE}.org"})).status_code == 403


async def test_every_origin_may_when_the_project_says_so() -> None:
    async with connected(FakeRuntime(cors=CorsPolicy(allow_origins=("*",)))) as client:
        response = await client.get("/ok", headers={"origin": ELSEWHERE})
        assert response.headers["access-control-allow-origin"] == "*"
        assert (await preflight(client, "null")).status_code == 200


async def test_credentials_are_allowed_for_the_one_origin_that_asks() -> None:
    policy = CorsPolicy(allow_origins=(ELSEWHERE,), allow_credentials=True, expose_headers=("X-More",))
    async with connected(FakeRuntime(cors=policy)) as client:
        response = await client.get("/ok", headers={"origin": ELSEWHERE})
        assert response.headers["access-control-allow-origin"] == ELSEWHERE
        assert response.headers["access-control-allow-credentials"] == "true"
        assert "X-More" in response.headers["access-control-expose-headers"]


async def test_a_policy_says_methods_headers_and_how_long_it_holds() -> None:
    cors = CorsPolicy(
        allow_origin_regex=r"https://.*\.example", allow_methods=("GET",), allow_headers=("X-Key",), max_age=77
    )
    async with connected(FakeRuntime(cors=cors)) as client:
        response = await preflight(client, ELSEWHERE)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == ELSEWHERE
        assert response.headers["access-control-allow-methods"] == "GET"
        # JSON has to be allowed by name, and a policy that names other headers means it too.
        assert response.headers["access-control-allow-headers"] == (
            "Accept, Accept-Language, Content-Language, Content-Type, X-Key"
        )
        assert response.headers["access-control-max-age"] == "77"
        assert (await preflight(client, "https://studio.example.org")).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost", "LocalHost.:1", "127.1.2.3", "[::1]:8123"])
async def test_a_server_for_this_machine_answers_to_its_names(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/ok", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8123", "localhost.evil.example", "10.0.0.1", "a@localhost", "x y", ""]
)
async def test_a_server_for_this_machine_answers_to_no_other_name(client: httpx.AsyncClient, host: str) -> None:
    """A page whose name was pointed at this machine calls it by that name, as its own origin."""
    response = await client.post("/runs", content="{}", headers={"host": host, "origin": f"http://{host}"})
    assert response.status_code == 403
    assert "--allowed-hosts" in response.json()["detail"]


async def test_a_server_for_others_answers_to_every_name_until_some_are_given() -> None:
    async with connected(FakeRuntime(settings={"host": "0.0.0.0"})) as client:
        assert (await client.get("/ok", headers={"host": "10.1.2.3:8123"})).status_code == 200
    names = ("agent.example", "*.inner.example")
    async with connected(FakeRuntime(settings={"host": "0.0.0.0", "allowed_hosts": names})) as client:
        for host in ("agent.example", "Agent.Example:80", "a.b.inner.example", "localhost:8123"):
            assert (await client.get("/ok", headers={"host": host})).status_code == 200, host
        for host in ("10.1.2.3:8123", "inner.example", "evilinner.example", "agent.example.org"):
            assert (await client.get("/ok", headers={"host": host})).status_code == 403, host
