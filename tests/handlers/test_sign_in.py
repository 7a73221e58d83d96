"""Browsers sign in, and their cookie stands for what they have signed in with: for the server's own pages alone."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from runyard.handlers.contract.document import load_document
from runyard.handlers.http import sign_in_cookie
from runyard.runtime.auth.api_keys import ApiKeys
from runyard.runtime.services import sign_ins

from .asgi_client import connected
from .fakes.runtime import FakeRuntime
from .test_authentication import TOKEN, by_token, runtime_with

KEY = "a-key-that-nobody-guesses"
HTML = {"accept": "text/html,*/*"}


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """One that has not signed in yet."""
    keys = ApiKeys([KEY])
    async with connected(FakeRuntime(authenticator=keys, settings={"api_keys": (KEY,)})) as client:
        yield client


async def signed_in(browser: httpx.AsyncClient, credential: str = KEY) -> str:
    """The cookie, as the browser is told it."""
    answer = await browser.post("/sign-in", json={"credential": credential}, headers={"sec-fetch-site": "same-origin"})
    assert (answer.status_code, answer.content) == (204, b"")
    return answer.headers["set-cookie"]


async def test_pages_lead_to_where_one_signs_in(browser: httpx.AsyncClient) -> None:
    for path, target in (
        ("/docs", "sign-in?next=docs"),
        ("/guides", "sign-in?next=guides"),
        ("/guides/serve", "../sign-in?next=guides/serve"),
    ):
        answer = await browser.get(path, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, target)
        assert (await browser.get(path)).status_code == 401  # no browser
    page = await browser.get("/sign-in", headers=HTML)
    nonce = re.search(r'<script nonce="([\w-]+)">', page.text)
    assert nonce is not None
    assert f"script-src 'nonce-{nonce[1]}'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    landing = await browser.get("/", headers=HTML)
    assert 'href="sign-in"' in landing.text
    assert "chain" not in landing.text


async def test_a_cookie_stands_for_the_credential(browser: httpx.AsyncClient) -> None:
    cookie = await signed_in(browser)
    assert re.fullmatch(r"runyard_session=[\w-]{43}; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict", cookie)
    assert KEY not in cookie
    for path in ("/docs", "/guides/serve", "/openapi.json", "/metrics"):
        assert (await browser.get(path, headers=HTML)).status_code == 200
    assert (
        await browser.post("/threads/search", json={}, headers={"sec-fetch-site": "same-origin"})
    ).status_code == 200
    ended = await browser.delete("/sign-in")
    assert (ended.status_code, "Max-Age=0" in ended.headers["set-cookie"]) == (204, True)
    browser.cookies.set("runyard_session", cookie.partition("=")[2].partition(";")[0])
    assert (await browser.get("/docs")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        # A page of another port of this machine gets the cookie, and may use the server, but not in its user's name.
        ({"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:3000"}, 401),
        ({"origin": "http://127.0.0.1:3000"}, 401),
        ({"origin": "http://localhost"}, 401),
        ({"sec-fetch-site": "cross-site"}, 401),
        # Credentials of its own count, whatever the cookie says.
        ({"sec-fetch-site": "same-origin", "x-api-key": "a-key-that-somebody-guessed"}, 401),
        ({"sec-fetch-site": "same-origin", "authorization": "Bearer wrong"}, 401),
    ],
)
async def test_the_cookie_counts_for_pages_of_this_server_alone(
    browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    await signed_in(browser)
    assert (await browser.post("/threads/search", json={}, headers=headers)).status_code == status


async def test_other_pages_sign_nobody_in(browser: httpx.AsyncClient) -> None:
    for headers in ({"sec-fetch-site": "same-site"}, {"origin": "http://127.0.0.1:3000"}):
        answer = await browser.post("/sign-in", json={"credential": KEY}, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_a_wrong_credential_gives_no_cookie(browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        answer = await browser.post("/sign-in", json={"credential": f"{KEY}-wrong"}, headers={"x-api-key": KEY})
    assert (answer.status_code, answer.json()) == (401, {"detail": "The API key is not known"})
    assert "set-cookie" not in answer.headers
    assert "denied: POST /sign-in from 127.0.0.1: 401" in caplog.text
    assert KEY not in caplog.text
    assert (await browser.post("/sign-in", json={"credential": "ä"})).status_code == 422


async def test_who_loses_their_credential_loses_their_session() -> None:
    known = {f"Bearer {TOKEN}"}

    async def by_list(authorization: str | None) -> str:
        return await by_token(authorization if authorization in known else None)

    async with connected(runtime_with(by_list)) as browser:
        assert "HttpOnly" in await signed_in(browser, TOKEN)
        assert (await browser.get("/docs")).status_code == 200
        known.clear()
        assert (await browser.get("/docs")).status_code == 401


async def test_a_session_ends_with_its_time_and_old_ones_make_room(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ins, "MOST", 1)
    first = await signed_in(browser)
    await signed_in(browser)
    assert (await browser.get("/docs")).status_code == 200
    monkeypatch.setattr(sign_ins, "LIFETIME", -1)
    await signed_in(browser)
    assert (await browser.get("/docs")).status_code == 401
    browser.cookies.set("runyard_session", first.partition("=")[2].partition(";")[0])
    assert (await browser.get("/docs")).status_code == 401


async def test_who_signs_in_at_one_server_is_signed_in_and_out_at_all_of_its_database() -> None:
    servers = [FakeRuntime(authenticator=ApiKeys([KEY]), settings={"api_keys": (KEY,)}) for _ in range(2)]
    servers[1].sign_ins = servers[0].sign_ins
    async with connected(servers[0]) as browser, connected(servers[1]) as elsewhere:
        await signed_in(browser)
        elsewhere.cookies = browser.cookies
        for asked in (browser, elsewhere):
            assert (await asked.get("/docs", headers=HTML)).status_code == 200
        token = dict(browser.cookies)
        assert (await elsewhere.delete("/sign-in")).status_code == 204
        for asked in (browser, elsewhere):
            asked.cookies = httpx.Cookies(token)
            assert (await asked.get("/docs")).status_code == 401


async def test_only_what_can_be_a_cookie_of_ours_is_looked_for(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_in(browser)
    token = browser.cookies["runyard_session"]
    looked_for: list[str] = []

    async def credential(self: sign_ins.SignIns, given: str) -> str | None:
        looked_for.append(given)
        return KEY if given == token else None

    monkeypatch.setattr(sign_ins.SignIns, "credential", credential)
    strange = ["x" * 43, "x" * 42, "." * 43, "", "'; drop"]
    cookies = "; ".join(f"runyard_session={value}" for value in (*strange, token))
    browser.cookies.clear()
    assert (await browser.get("/docs", headers={"cookie": cookies})).status_code == 200
    assert looked_for == ["x" * 43, token]
    many = "; ".join(f"runyard_session={number:043}" for number in range(100))
    looked_for.clear()
    assert (await browser.get("/docs", headers={"cookie": many})).status_code == 401
    assert len(looked_for) == sign_in_cookie.MOST


async def test_the_credential_of_the_document_is_accepted() -> None:
    body = load_document()["paths"]["/sign-in"]["post"]["requestBody"]["content"]["application/json"]
    value = body["examples"]["key"]["value"]
    keys = (value["credential"],)
    async with connected(FakeRuntime(authenticator=ApiKeys(keys), settings={"api_keys": keys})) as browser:
        assert (await browser.post("/sign-in", json=value)).status_code == 204


async def test_where_nobody_authenticates_nobody_signs_in() -> None:
    async with connected(FakeRuntime()) as browser:
        assert (await browser.get("/sign-in", headers=HTML)).status_code == 404
        assert "chain" in (await browser.get("/", headers=HTML)).text
        assert "/sign-in" not in (await browser.get("/openapi.json")).json()["paths"]
