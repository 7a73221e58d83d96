"""Servers that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.live_server import Backend, KeptServer, LiveServer


@contextmanager
def kept_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptServer]:
    """Of each project and backend one, started when it is first asked for; all end with the context."""
    servers: dict[tuple[Path, Backend], LiveServer] = {}

    def kept(config: Path, backend: Backend, workers: int) -> LiveServer:
        if (config, backend) not in servers:
            data = tmp_path_factory.mktemp("kept") / "data"
            args = ("--workers", str(workers))
            if backend == "cluster":
                server: LiveServer = Cluster(data, config=config, args=args)
            else:
                server = LiveServer(data, config=config, args=args, backend=backend)
            servers[config, backend] = server
            server.start()
        return servers[config, backend]

    try:
        yield kept
    finally:
        for server in servers.values():
            server.close()
