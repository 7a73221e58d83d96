"""The load balancer of the tests is as good as others: what fails behind it is the servers' fault."""

from __future__ import annotations

import socket
import threading

from tests.balancer import Balancer

ANSWER = b"HTTP/1.1 422 Unprocessable Entity\r\ncontent-length: 2\r\n\r\nno"


def _answer_heads(listener: socket.socket, times: int) -> None:
    for _ in range(times):
        connection, _ = listener.accept()
        with connection:
            said = b""
            while b"\r\n\r\n" not in said:
                said += connection.recv(65_536)
            connection.sendall(ANSWER)


def _read_answer(client: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\r\n\r\nno"):
        more = client.recv(65_536)
        assert more, "the connection was closed"
        said += more
    return said


def test_a_request_that_is_answered_before_its_body_came_ends_in_order() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_answer_heads, args=(listener, 2), daemon=True)
        server.start()
        balancer = Balancer([f"http://127.0.0.1:{listener.getsockname()[1]}"])
        try:
            host, port = balancer.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=60) as client:
                for _ in range(2):
                    client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
                    assert b" 422 " in _read_answer(client)
                    client.sendall(b"late")
        finally:
            balancer.close()
        server.join(60)
