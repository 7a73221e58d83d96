"""Posting one webhook: connections that only ever reach checked addresses.

The look-up of the host's name, the check of what it resolves to and the connection are one step, so no
second answer of a name server can move the connection elsewhere. TLS still verifies the host's name.
Redirects are not followed and proxies from the environment are not used: both would send the request
to an address that was not checked.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import httpcore
import httpx

from runyard.runtime.errors import Invalid
from runyard.runtime.webhooks.addresses import kind_of_address
from runyard.runtime.webhooks.targets import check_target, refusal

if TYPE_CHECKING:
    from runyard.runtime.config.project import WebhookPolicy

# The answer's body is only read so that the connection can be used again; longer ones are not worth it.
_BODY_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """What the receiver said: the HTTP status, and the seconds of a Retry-After header if it sent one."""

    status: int
    retry_after: float | None


class NotSent(Exception):
    """No answer came. `host_down`: the host itself is at fault, so others to it would fail too.

    `final`: trying again would not be right (the target is refused, or is no URL).
    """

    def __init__(self, reason: str, *, host_down: bool = False, final: bool = False) -> None:
        super().__init__(reason)
        self.host_down = host_down
        self.final = final


class WebhookClient:
    """Posts JSON. Build it in the event loop that uses it; `connect` and `total` are seconds."""

    def __init__(self, policy: WebhookPolicy, *, connections: int, connect: float = 5.0, total: float = 10.0) -> None:
        self._policy = policy
        self._connect = connect
        self._total = total
        # Look-ups that hang keep a thread beyond any time-out: they must not fill the loop's own pool.
        self._resolvers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="webhook-dns")
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,  # the caller bounds them; a queue here would eat the time-outs
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            network_backend=_CheckedNetwork(policy, self._resolvers),
        )

    async def post(self, url: str, body: bytes) -> WebhookResponse:
        """Send `body` to `url`; raises `NotSent` when no answer came within the time-outs."""
        try:
            check_target(url, self._policy)  # it may be stricter now than when the run was accepted
            timeouts = {"connect": self._connect, "read": self._total, "write": self._total}
            request = _request(url, body, self._policy.headers, timeouts)
        except Invalid as error:
            raise NotSent(error.detail, final=True) from None
        except (httpx.InvalidURL, ValueError) as error:
            raise NotSent(f"not a URL that can be called: {error}", final=True) from None
        response: httpcore.Response | None = None
        try:
            async with asyncio.timeout(self._total):
                response = await self._pool.handle_async_request(request)
                await _drain(response)
        except (
            TimeoutError,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
        ) as error:
            if response is None:  # otherwise the status has come: the receiver has answered
                raise _not_sent(error) from None
        finally:
            if response:
                await response.aclose()
        return WebhookResponse(response.status, _retry_after(response.headers))

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
        self._resolvers.shutdown(wait=False, cancel_futures=True)


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens a connection only to an address that the policy allows."""

    def __init__(self, policy: WebhookPolicy, resolvers: ThreadPoolExecutor) -> None:
        self._policy = policy
        self._resolvers = resolvers
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async with asyncio.timeout(timeout):
            addresses = await self._resolve(host, port)
            failure: Exception | None = None
            for number, address in enumerate(addresses):
                # An address that swallows packets must leave time for the next one.
                share = timeout / (len(addresses) - number + 1) if timeout and len(addresses) > 1 else timeout
                try:
                    return await self._network.connect_tcp(address, port, share, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
        raise failure or httpcore.ConnectError("the name has no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[str]:
        """The allowed addresses of the host; raises `NotSent` if it has none that is allowed."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name cannot be resolved: {error}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        reasons = {
            address: refusal(kind_of_address(ipaddress.ip_address(address)), self._policy) for address in addresses
        }
        allowed = [address for address, reason in reasons.items() if reason is None]
        if addresses and not allowed:
            raise NotSent(f"{host} resolves to {addresses[0]}, which {reasons[addresses[0]]}", final=True)
        return allowed


def _request(
    url: str, body: bytes, configured: Iterable[tuple[str, str]], timeouts: dict[str, float]
) -> httpcore.Request:
    """`configured` headers take the place of those that are sent anyway."""
    target = httpx.URL(url)
    headers = [
        (b"Host", target.netloc),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", str(len(body)).encode()),
        (b"User-Agent", b"runyard"),
        (b"Accept", b"*/*"),
    ]
    if target.userinfo:
        credentials = b":".join(unquote_to_bytes(part) for part in target.userinfo.split(b":", 1))
        headers.append((b"Authorization", b"Basic " + base64.b64encode(credentials)))
    own = [(name.encode("ascii"), value.encode("latin-1")) for name, value in configured]
    replaced = {name.lower() for name, _ in own}
    headers = [*(header for header in headers if header[0].lower() not in replaced), *own]
    address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
    return httpcore.Request("POST", address, headers=headers, content=body, extensions={"timeout": timeouts})


def _not_sent(error: Exception) -> NotSent:
    if isinstance(error, (TimeoutError, httpcore.TimeoutException)):
        return NotSent("no answer within the time-out", host_down=True)
    if isinstance(error, httpcore.ConnectError):
        return NotSent(f"cannot connect: {error}", host_down=True)
    return NotSent(f"the connection broke: {str(error) or type(error).__name__}")


async def _drain(response: httpcore.Response) -> None:
    read = 0
    async for chunk in response.aiter_stream():
        read += len(chunk)
        if read > _BODY_LIMIT:
            return


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    value = next((value for name, value in headers if name.lower() == b"retry-after"), b"").strip()
    return float(value) if value.isdigit() and len(value) < 10 else None
