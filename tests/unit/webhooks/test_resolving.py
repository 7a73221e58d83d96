"""Where the sender connects to: what a name stands for is looked at when the connection is opened."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

from runyard.runtime.config.project import WebhookPolicy

from .memory_deliveries import MemoryDeliveries
from .scripted_receiver import ScriptedReceiver
from .sending import sending


@dataclass
class NameServer:
    """Answers for some hosts, and notes for which it was asked."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    """Host -> lists of addresses, used one after the other; the last one stays."""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    server = NameServer()
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host not in server.answers:
            return real(host, port, *args, **options)
        server.asked.append(host)
        answers = server.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return server


async def test_a_name_that_resolves_to_a_refused_address_is_not_called(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, name_server: NameServer
) -> None:
    name_server.answers["hooks.example"] = [["127.0.0.1"]]
    row = storage.add(receiver.url(host="hooks.example"))
    async with sending(storage, WebhookPolicy(require_https=False)):
        await storage.all_ended()
    assert row.delivered is False
    assert row.attempt == 1
    assert receiver.received == []
    assert receiver.connections == 0


async def test_the_connection_goes_to_the_checked_answer_of_the_name_server(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, name_server: NameServer
) -> None:
    """A second look-up would get another address: there is none."""
    name_server.answers["hooks.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    row = storage.add(receiver.url(host="hooks.example"))
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True
    assert name_server.asked == ["hooks.example"]
    assert receiver.received[0][1]["host"] == f"hooks.example:{receiver.port}"


async def test_refused_addresses_among_the_answers_are_skipped(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, name_server: NameServer
) -> None:
    name_server.answers["hooks.example"] = [["169.254.169.254", "127.0.0.1"]]
    row = storage.add(receiver.url(host="hooks.example"))
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


async def test_the_next_address_is_tried_when_one_refuses(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, name_server: NameServer
) -> None:
    name_server.answers["hooks.example"] = [["127.0.0.2", "127.0.0.1"]]  # nobody listens on the first
    row = storage.add(receiver.url(host="hooks.example"))
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


async def test_proxies_of_the_environment_are_not_used(
    receiver: ScriptedReceiver, storage: MemoryDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    row = storage.add(receiver.url())
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True
