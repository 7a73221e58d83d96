"""The HTTP side of `runyard batch`: looks up assistants, submits batches, fetches outcomes."""

import asyncio
import json
import re
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit
from uuid import UUID

import click
import httpx

from runyard.handlers.cli.batch.connection import Connection, ConnectionLost
from runyard.handlers.cli.batch.input_file import MAX_ITEMS, Item
from runyard.handlers.cli.batch.results import Result
from runyard.runtime.config.assistant_ids import default_assistant_id

RECONNECT_TIMEOUT = 60.0
"""Seconds for which a server that does not answer is waited for: a batch survives its restarts."""


class BatchRefused(click.ClickException):
    """The server, or this command before it, refuses what it was given."""

    exit_code = 2


class ServerUnreachable(click.ClickException):
    """No server, or not one that speaks the interface."""

    exit_code = 1


class BatchClient:
    """Speaks to one server, directly: proxies that the environment names are not used.

    Use as an async context manager.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        """`api_key` is sent with each request. Raises `BatchRefused` for what is no URL, or no key."""
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise BatchRefused("--api-key: it has characters that no header can hold")
        self._api_key = api_key
        try:
            self._parts = urlsplit(url)
            valid = self._parts.scheme in ("http", "https") and bool(self._parts.hostname)
            _ = self._parts.port  # raises ValueError for what is no port
        except ValueError:
            valid = False
        if not valid:
            raise BatchRefused(f"--url {url}: expected something like http://127.0.0.1:8123")
        self.url = url.rstrip("/")
        headers = {} if api_key is None else {"x-api-key": api_key}
        self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60.0, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def has_assistant(self, name: str) -> bool:
        """Whether the server has the assistant, or the graph, of this uuid or name."""
        response = await self._request("GET", f"/assistants/{_assistant_id(name)}")
        if response.status_code not in (200, 404):
            self._unexpected(response)
        return response.status_code == 200

    async def graph_names(self) -> list[str]:
        """The graphs that the server has, for error messages."""
        query = {"metadata": {"created_by": "system"}, "limit": 100, "select": ["graph_id"]}
        response = await self._request("POST", "/assistants/search", content=json.dumps(query))
        if response.status_code != 200:
            self._unexpected(response)
        return sorted({assistant["graph_id"] for assistant in response.json()})

    async def batch_limit(self) -> int:
        """How many runs one batch may have, as the server's document says."""
        response = await self._request("GET", "/openapi.json")
        try:
            limit = response.json()["components"]["schemas"]["RunBatchCreate"]["maxItems"]
        except (ValueError, KeyError, TypeError):
            return MAX_ITEMS
        return limit if type(limit) is int and limit > 0 else MAX_ITEMS

    async def submit(self, items: list[Item]) -> list[Result]:
        """Submits one batch: all of it is accepted, or `BatchRefused` says why nothing of it is."""
        body = b"[" + b",".join(item.payload for item in items) + b"]"
        response = await self._request("POST", "/runs/batch", content=body, timeout=300.0)
        if response.status_code == 413 and len(items) > 1:
            raise BatchTooLarge
        if response.status_code == 413:
            raise BatchRefused(f"line {items[0].line}: larger than the server accepts ({_detail(response)})")
        if 400 <= response.status_code < 500 and response.status_code != 404:
            raise BatchRefused(_with_line(_detail(response), items))
        if response.status_code != 200:
            self._unexpected(response)
        return [
            Result(line=item.line, run_id=run["run_id"], thread_id=run["thread_id"], status="pending")
            for item, run in zip(items, response.json(), strict=True)
        ]

    def connection(self) -> Connection:
        """A connection of its own to this server, for `outcome`."""
        return Connection(self._parts, self._api_key)

    async def outcome(self, run: Result, connection: Connection) -> Result:
        """Waits for the end of the run, through restarts of the server, and gives it with its outcome."""
        lost_for = 0.0
        while True:
            try:
                status, body = await connection.get(f"/threads/{run.thread_id}/runs/{run.run_id}/join")
                if status < 500:
                    return _with_outcome(run, status, body)
                trouble = f"HTTP {status}"
            except ConnectionLost as error:
                trouble = str(error)
            if lost_for >= RECONNECT_TIMEOUT:
                raise ServerUnreachable(f"lost the server at {self.url} ({trouble}); accepted runs go on there")
            await asyncio.sleep(1.0)
            lost_for += 1.0

    async def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, headers={"content-type": "application/json"}, **more)
        except httpx.ConnectError as error:
            raise ServerUnreachable(
                f"no server answers at {self.url} ({_reason(error)}); "
                "start one with `runyard serve`, or name another with --url"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnreachable(f"{method} {self.url}{path}: {_reason(error)}") from None
        if response.status_code == 401:
            raise BatchRefused(f"{_detail(response)}; give the server's key with --api-key, or as RUNYARD_API_KEY")
        return response

    def _unexpected(self, response: httpx.Response) -> NoReturn:
        request = response.request
        raise ServerUnreachable(
            f"{request.method} {request.url} answered {response.status_code}: {_detail(response)}; "
            "is this an agent server?"
        )


class BatchTooLarge(Exception):
    """The server takes no body of this size; a smaller batch may pass."""


def _assistant_id(name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        return default_assistant_id(name)


def _with_outcome(run: Result, status: int, body: bytes) -> Result:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return run.ended("error", error={"error": "BadAnswer", "message": f"HTTP {status} without JSON"})
    if status != 200:
        detail = values.get("detail") if isinstance(values, dict) else None
        return run.ended("error", error={"error": f"HTTP {status}", "message": str(detail)})
    if isinstance(values, dict) and "__error__" in values:
        return run.ended("error", error=values["__error__"])
    paused = isinstance(values, dict) and "__interrupt__" in values
    return run.ended("paused" if paused else "success", values=values)


def _with_line(detail: str, items: list[Item]) -> str:
    """Puts the file's line number before a complaint that names an index of the batch."""
    index = re.search(r"\[(\d+)\]", detail)
    if index and int(index[1]) < len(items):
        return f"line {items[int(index[1])].line}: {detail}"
    return detail


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200] or response.reason_phrase


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
