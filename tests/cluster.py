"""Several servers behind one address, for tests that otherwise have one."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.balancer import Balancer
from tests.live_server import LiveServer


class Cluster(LiveServer):
    """Two servers that have the API, and one that has workers, on one Postgres. The API servers get requests in turn,
    so that hardly any two requests of a test that belong together come to the same.

    It stands for the first of the API servers where a test looks at a process.
    """

    def __init__(
        self,
        data: Path,
        *,
        config: Path,
        args: tuple[str, ...],
    ) -> None:
        """`args` are those of the server that has the workers."""
        super().__init__(data, config=config, args=("--role", "api"), backend="postgres")
        self._other = self._beside("other", "--role", "api")
        self._worker = self._beside("worker", "--role", "worker", *args)
        self._balancer: Balancer | None = None

    def _beside(self, name: str, *args: str) -> LiveServer:
        data = self.data.with_name(f"{self.data.name}-{name}")
        return LiveServer(data, config=self._config, args=args, env=self._env)

    def start(self, *, port: int = 0, env: Mapping[str, str] | None = None) -> LiveServer:
        with ThreadPoolExecutor() as pool:
            others = [pool.submit(server.start, env=env) for server in (self._other, self._worker)]
            super().start(port=port, env=env)
            for each in others:
                each.result()
        self._balancer = Balancer([self.url, self._other.url])
        self.url = self._balancer.url
        return self

    def workers(self) -> list[int]:
        return self._worker.workers()

    def close(self) -> None:
        if self._balancer is not None:
            self._balancer.close()
        for server in (self._other, self._worker):
            server.close()
        super().close()
