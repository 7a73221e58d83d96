"""The network that breaks: what gets through it, and what those at its ends see."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.chaos_suite.network import Network, Route


@pytest.fixture
def route(tmp_path: Path) -> Iterator[Route]:
    """Leads to a server that sends back whatever it gets."""
    place = tmp_path / "echo"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(place))
    server.listen()
    threading.Thread(target=_echo, args=(server,), daemon=True).start()
    network = Network()
    yield network.route("echo", place)
    network.close()
    server.close()


def _echo(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # the test is over
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        while said := connection.recv(100):
            connection.sendall(said)


def connect(route: Route) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", route.port), timeout=10)
    connection.settimeout(0.2)
    return connection


def says(connection: socket.socket) -> bytes:
    connection.sendall(b"hello")
    return connection.recv(100)


def test_what_is_sent_gets_through(route: Route) -> None:
    with connect(route) as connection:
        assert says(connection) == b"hello"


def test_a_cut_is_seen_and_new_connections_get_through(route: Route) -> None:
    with connect(route) as cut, connect(route) as other:
        assert says(cut) == says(other) == b"hello"
        route.cut()
        with pytest.raises(ConnectionResetError):
            cut.recv(100)
    with connect(route) as new:
        assert says(new) == b"hello"


def test_connections_are_refused_until_the_network_is_open_again(route: Route) -> None:
    route.refuse()
    with pytest.raises(ConnectionError), connect(route) as refused:
        says(refused)
    route.open()
    with connect(route) as connection:
        assert says(connection) == b"hello"


def test_a_connection_that_was_swallowed_stays_silent_and_new_ones_get_through(route: Route) -> None:
    with connect(route) as swallowed:
        assert says(swallowed) == b"hello"
        route.swallow()
        with pytest.raises(TimeoutError):
            says(swallowed)
        route.open()
        with pytest.raises(TimeoutError):
            says(swallowed)
        with connect(route) as new:
            assert says(new) == b"hello"
