"""What the server says of itself."""

from importlib import metadata
from typing import Any

from runyard.runtime.config.settings import Settings
from runyard.runtime.services.configuration import knows_strict_resume
from runyard.runtime.services.health import Health
from runyard.runtime.storage.port.storage import Storage


class System:
    """The service behind the operations on the server itself."""

    def __init__(self, storage: Storage, health: Health, settings: Settings) -> None:
        self._storage = storage
        self._health = health
        self._disabled = settings.project.disabled
        self._server = {"role": settings.role, "backend": "sqlite" if settings.database is None else "postgres"}

    def check_health(self) -> None:
        """Raises Unavailable when a part of the server does not do what it is there for: see `Health`."""
        self._health.check()

    async def check(self) -> None:
        """Asks the database something. Raises Unavailable when the database does not answer."""
        await self._storage.check()

    def info(self) -> dict[str, Any]:
        """What the server is; clients choose what they can do by it."""
        return {
            "version": metadata.version("runyard"),
            "langgraph_py_version": metadata.version("langgraph"),
            "flags": {
                "assistants": "assistants" not in self._disabled,
                "crons": "runs" not in self._disabled,
                "langsmith": False,
                "langsmith_tracing_replicas": False,
                "strict_resume": knows_strict_resume(),
            },
            "metadata": {},  # a key that the interface asks for
            "host": {"kind": "self-hosted", "project_id": None, "revision_id": None, "tenant_id": None},
            "server": self._server,
        }
