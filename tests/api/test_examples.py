"""The examples of answers in the document: they are what a server answers."""

from __future__ import annotations

import httpx

from scripts.example_recorder.record import differing
from scripts.example_recorder.walk import Walk
from tests.live_server import StartServer


def test_a_server_answers_as_the_recorded_examples_say(start_server: StartServer) -> None:
    server = start_server(args=("--workers", "1"))
    with httpx.Client(base_url=server.url, timeout=60) as http:
        changed = differing(Walk(http).record())
    assert changed == {}, "scripts/examples records them afresh"
