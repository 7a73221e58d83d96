"""Requests to a server that may be away, suspended or unable to write at any moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from itertools import cycle
from typing import Any

import httpx

from scripts.chaos_suite.stories import Finding

TIMEOUT = 20.0
"""Seconds for which a request waits for the next byte; suspensions are shorter."""


class Client:
    """Plain HTTP, to each of the servers in turn. Answers with status 500 are violations in any condition, and are
    kept in `failures`."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = cycle(urls)
        self.failures: list[Finding] = []
        self._http = httpx.AsyncClient(verify=False, timeout=TIMEOUT, limits=httpx.Limits(max_connections=200))

    def server(self) -> str:
        """The URL of the server whose turn it is."""
        return next(self._urls)

    async def close(self) -> None:
        await self._http.aclose()

    def stream(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """An answer that is read as it comes. Raises httpx.HTTPError where it breaks off."""
        return self._http.stream(method, f"{self.server()}{path}", json=body, headers=headers)

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        """The answer to one try; None when there was none, or one that says nothing (503)."""
        try:
            response = await self._http.request(method, f"{self.server()}{path}", json=body, headers=headers)
        except httpx.HTTPError:
            return None
        return self.judged(response, method, path)

    def judged(self, response: httpx.Response, method: str, path: str) -> httpx.Response | None:
        """The answer, unless it is a server's error."""
        if response.status_code < 500:
            return response
        if response.status_code != 503:
            text = f"{method} {path} was answered with {response.status_code}: {response.text[:300]}"
            self.failures.append(Finding(kind="answer", text=text))
        return None

    async def insist(self, path: str, *, within: float = 60.0) -> httpx.Response | None:
        """The answer to a GET, tried until there is one or the time is over."""
        until = time.monotonic() + within
        while True:
            response = await self.ask("GET", path)
            if response is not None or time.monotonic() > until:
                return response
            await asyncio.sleep(0.2)
