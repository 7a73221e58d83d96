"""`http.logging_headers`: a line for each request, with the headers that are named and no secrets."""

from __future__ import annotations

import logging

import pytest

from runyard.runtime.config.project import HeaderFilter

from .asgi_client import connected
from .fakes.runtime import FakeRuntime

SECRETS = {
    "authorization": "Bearer s3cret",
    "x-api-key": "s3cret",
    "cookie": "session=s3cret",
    "x-auth-token": "s3cret",
    "x-hub-signature-256": "s3cret",
    "x-service-key": "s3cret",
}


async def logged(headers: HeaderFilter | None, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.INFO, logger="runyard.requests"):
        async with connected(FakeRuntime(logging_headers=headers)) as client:
            await client.get("/ok", headers={"X-Tenant": "a", "x-trace": "b", **SECRETS})
            await client.get("/no%0Awhere", headers={"x-tenant": 'a "quoted" one'})
    return [record.getMessage() for record in caplog.records if record.name == "runyard.requests"]


async def test_named_headers_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    ok, nowhere = await logged(HeaderFilter(includes=("x-t*",), excludes=("x-trace",)), caplog)
    assert ok.startswith("GET /ok 200 ")
    assert ok.endswith(' ms {"x-tenant": "a"}')
    assert nowhere.startswith("GET /no%0Awhere 404 ")
    assert nowhere.endswith(r' ms {"x-tenant": "a \"quoted\" one"}')


async def test_secrets_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    for includes in (("*",), (*SECRETS, "x-tenant")):
        caplog.clear()
        ok, _ = await logged(HeaderFilter(includes=includes), caplog)
        assert '"x-tenant": "a"' in ok
        assert "s3cret" not in caplog.text


async def test_nothing_is_logged_of_headers_that_nobody_names(caplog: pytest.LogCaptureFixture) -> None:
    ok, _ = await logged(HeaderFilter(excludes=("x-trace",)), caplog)
    assert ok.endswith(" ms")
    caplog.clear()
    assert await logged(None, caplog) == []
