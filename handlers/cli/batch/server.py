"""The HTTP side of `runyard batch`."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from runyard.handlers.cli.batch.errors import BatchRefused, BatchTooLarge, ConnectionLost, ServerUnreachable
from runyard.handlers.cli.batch.input_file import MAX_ITEMS
from runyard.runtime.config.assistant_ids import default_assistant_id

Batch = dict[str, Any]
"""A batch as the server tells of it."""

SILENCE_TIMEOUT = 60.0
"""Seconds without a byte after which a server counts as lost; one that has nothing to say sends newlines."""
SUBMIT_TIMEOUT = 300.0
RECONNECT_TIMEOUT = 60.0
"""Seconds for which a server that does not answer is waited for: a batch survives its restarts."""
PAUSE = 1.0
"""Seconds between two attempts."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that the server has: `replayed` when it had it before."""

    batch_id: str
    count: int
    replayed: bool


class BatchServer:
    """Speaks to one server, directly: proxies that the environment names are not used.

    Use as a context manager. All methods raise `BatchRefused` for what the server refuses and `ServerUnreachable` when
    there is none.
    """

    def __init__(self, url: str, api_key: str | None = None, timeout: float = SILENCE_TIMEOUT) -> None:
        """`api_key` is sent with each request. Raises `BatchRefused` for what is no URL, or no key."""
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise BatchRefused("--api-key: it has characters that no header can hold")
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port  # raises ValueError for what is no port
        except ValueError:
            valid = False
        if not valid:
            raise BatchRefused(f"--url {url}: expected something like http://127.0.0.1:8123")
        self.url = url.rstrip("/")
        headers = {"content-type": "application/json"}
        if api_key is not None:
            headers["x-api-key"] = api_key
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    # Before submitting

    def has_assistant(self, name: str) -> bool:
        """Whether the server has the assistant, or the graph, of this uuid or name."""
        response = self._request("GET", f"/assistants/{_assistant_id(name)}")
        if response.status_code not in (200, 404):
            self._unexpected(response)
        return response.status_code == 200

    def graph_names(self) -> list[str]:
        """The graphs that the server has, for error messages."""
        query = {"metadata": {"created_by": "system"}, "limit": 100, "select": ["graph_id"]}
        return sorted({assistant["graph_id"] for assistant in self._json("POST", "/assistants/search", json=query)})

    def batch_limit(self) -> int:
        """How many runs one batch may have, as the server's document says."""
        response = self._request("GET", "/openapi.json")
        try:
            limit = response.json()["components"]["schemas"]["RunBatchCreate"]["maxItems"]
        except (ValueError, KeyError, TypeError):
            return MAX_ITEMS
        return limit if type(limit) is int and limit > 0 else MAX_ITEMS

    def submit(self, body: bytes, key: str, headers: Mapping[str, str]) -> Accepted:
        """Submits one batch, all of which is accepted or nothing. Raises `BatchTooLarge`, and `ConnectionLost` when it
        is to be asked again with the same key."""
        headers = {**headers, "idempotency-key": key}
        try:
            response = self._http.post("/runs/batch", content=body, headers=headers, timeout=SUBMIT_TIMEOUT)
        except httpx.HTTPError as error:
            raise ConnectionLost(reason_of(error)) from None
        if response.status_code == 413:
            raise BatchTooLarge
        if response.status_code >= 500 or "retry-after" in response.headers:
            raise ConnectionLost(f"HTTP {response.status_code}: {detail_of(response)}")
        self._check(response)
        if "x-batch-id" not in response.headers:
            self._unexpected(response)
        replayed = response.headers.get("idempotency-replayed") == "true"
        return Accepted(response.headers["x-batch-id"], len(response.json()), replayed)

    # Afterwards

    def search(self, statuses: Sequence[str] = (), name: str | None = None, limit: int = 10) -> list[Batch]:
        """The newest batches."""
        params: dict[str, Any] = {"status": [*statuses], "limit": limit, **({} if name is None else {"name": name})}
        batches: list[Batch] = self._json("GET", "/batches", params=params)
        return batches

    def get(self, batch_id: str, *, patient: bool = False) -> Batch:
        """A batch as it is now. `patient`: a server that is being started anew is waited for."""
        end = time.monotonic() + (RECONNECT_TIMEOUT if patient else 0.0)
        while True:
            try:
                batch: Batch = self._json("GET", f"/batches/{batch_id}")
                return batch
            except ServerUnreachable:
                if time.monotonic() >= end:
                    raise
            time.sleep(PAUSE)

    def cancel(self, batch_id: str) -> Batch:
        """Stops what has not ended; the batch as it is then."""
        batch: Batch = self._json("POST", f"/batches/{batch_id}/cancel")
        return batch

    def retry(self, batch_id: str, statuses: Sequence[str] = ()) -> Batch:
        """Has items that ended with one of the statuses run again; the batch as it is then."""
        batch: Batch = self._json("POST", f"/batches/{batch_id}/retry", params={"status": [*statuses]})
        return batch

    def results(self, batch_id: str, *, after: int, statuses: Sequence[str], follow: bool) -> Iterator[bytes]:
        """Lines of results, without their newlines. Raises `ConnectionLost` when they break off."""
        params: dict[str, Any] = {"after": after, "status": [*statuses], "follow": "true" if follow else "false"}
        rest = b""
        try:
            with self._http.stream("GET", f"/batches/{batch_id}/results", params=params) as response:
                if response.status_code != 200:
                    response.read()
                    if response.status_code >= 500:
                        raise ConnectionLost(f"HTTP {response.status_code}: {detail_of(response)}")
                    self._check(response)
                for piece in response.iter_bytes():
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from filter(bytes.strip, lines)
        except httpx.HTTPError as error:
            raise ConnectionLost(reason_of(error)) from None
        if rest.strip():
            raise ConnectionLost("the answer broke off")

    def _json(self, method: str, path: str, **more: Any) -> Any:
        response = self._request(method, path, **more)
        self._check(response)
        try:
            return response.json()
        except ValueError:
            self._unexpected(response)

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.ConnectError as error:
            raise ServerUnreachable(
                f"no server answers at {self.url} ({reason_of(error)}); "
                "start one with `runyard serve`, or name another with --url"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnreachable(f"{method} {self.url}{path}: {reason_of(error)}") from None

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if 400 <= status < 500 and status != 401 and _is_detailed(response):
            raise BatchRefused(detail_of(response))
        if status != 200:
            self._unexpected(response)

    def _unexpected(self, response: httpx.Response) -> NoReturn:
        if response.status_code == 401:
            raise BatchRefused(f"{detail_of(response)}; give the server's key with --api-key, or as RUNYARD_API_KEY")
        request = response.request
        raise ServerUnreachable(
            f"{request.method} {request.url} answered {response.status_code}: {detail_of(response)}; "
            "is this a Runyard that knows batches?"
        )


def detail_of(response: httpx.Response) -> str:
    """What a server says of a refusal."""
    return str(response.json()["detail"]) if _is_detailed(response) else response.text[:200] or response.reason_phrase


def reason_of(error: Exception) -> str:
    """Why a request failed."""
    return str(error) or type(error).__name__


def _is_detailed(response: httpx.Response) -> bool:
    try:
        return "detail" in json.loads(response.content)
    except (ValueError, TypeError):
        return False


def _assistant_id(name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        return default_assistant_id(name)
