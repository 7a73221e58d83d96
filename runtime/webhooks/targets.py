"""Which addresses a webhook may be sent to.

A webhook makes the server call an address that a client chose, so the server must not be talked into
calling its own neighbourhood: itself, the private network, or the metadata service of a cloud machine.
The rule is applied twice with the same functions: to the URL when a run is submitted (`check_target`,
no look-up of names, so it never blocks), and to each resolved address when the connection is opened
(`refusal`, see `runyard.runtime.webhooks.client`), since a name may point anywhere by then.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING

import httpx

from runyard.runtime.errors import Invalid
from runyard.runtime.webhooks.addresses import Address, Kind, kind_of_address

if TYPE_CHECKING:
    from runyard.runtime.config.project import WebhookPolicy

_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def check_target(url: str, policy: WebhookPolicy) -> None:
    """Raise `Invalid` unless runs may name `url` as their webhook under `policy`.

    Link-local and metadata addresses are refused under every policy; no setting opens them.
    """
    if policy.max_url_length is not None and len(url) > policy.max_url_length:
        raise Invalid(
            f"webhook: the URL is longer than {policy.max_url_length} characters, which webhooks.url.max_url_length"
            " in langgraph.json allows."
        )
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise Invalid(f"webhook: not a URL that can be called: {error}. Give an absolute https URL.") from None
    if not target.scheme:
        raise Invalid("webhook: relative URLs cannot be called. Give an absolute https URL.")
    if target.scheme not in ("http", "https"):
        raise Invalid(f"webhook: the scheme {_short(target.scheme)} cannot be called. Give an https URL.")
    if not target.raw_host:
        raise Invalid("webhook: the URL names no host. Give an absolute https URL.")
    if target.scheme == "http" and policy.require_https:
        raise Invalid(
            "webhook: the URL must use https. To allow http, set webhooks.url.require_https to false in langgraph.json."
        )
    if target.port is not None and not 1 <= target.port <= 65535:
        raise Invalid(f"webhook: the port {target.port} does not exist. Use one from 1 to 65535.")
    port = target.port or (443 if target.scheme == "https" else 80)
    if policy.allowed_ports and port not in policy.allowed_ports:
        raise Invalid(
            f"webhook: the port {port} is not among webhooks.url.allowed_ports in langgraph.json:"
            f" {', '.join(map(str, policy.allowed_ports))}."
        )
    host = target.raw_host.decode("ascii")
    if policy.allowed_domains and not _is_listed(host, policy.allowed_domains):
        raise Invalid(f"webhook: the host {_short(host)} is not among webhooks.url.allowed_domains in langgraph.json.")
    reason = refusal(_kind_of_host(host), policy)
    if reason:
        raise Invalid(f"webhook: the host {_short(host)} {reason}")


def refusal(kind: Kind, policy: WebhookPolicy) -> str | None:
    """Why `policy` refuses targets of `kind`, in words to follow its name; None: it allows them."""
    if kind == "public" or (kind in ("loopback", "private") and not policy.disable_loopback):
        return None
    if kind in ("loopback", "private"):
        return (
            f"is a {kind} address. Name a public host, or set webhooks.url.disable_loopback to false"
            " in langgraph.json to allow loopback and private targets."
        )
    if kind == "unusable":
        return "cannot be called. Name a public host."
    return f"is a {kind} address, which is never called. Name a public host."


def _is_listed(host: str, domains: tuple[str, ...]) -> bool:
    """Whether one of the domains is the host, or, as "*.example.com", has it below itself."""
    name = host.lower().rstrip(".")
    return any(name.endswith(domain[1:]) if domain.startswith("*.") else name == domain for domain in domains)


def _kind_of_host(host: str) -> Kind:
    name = host.rstrip(".")
    if address := _literal(name):
        return kind_of_address(address)
    if name in _METADATA_NAMES:
        return "metadata"
    if name in _LOOPBACK_NAMES or name.endswith(".localhost"):
        return "loopback"
    return "public" if _NAME.fullmatch(name) else "unusable"


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.replace("%25", "%"))
    except ValueError:
        pass
    try:
        # Resolvers also read the old forms: 127.1, 0x7f000001, 2130706433.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "...")
