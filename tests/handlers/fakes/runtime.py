"""A runtime without graphs and storage, for tests of what lies in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runyard.handlers.webapp.hosting import WebApp
from runyard.runtime.auth.requests import Authenticator
from runyard.runtime.config.project import GraphSpec, Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.services.sign_ins import SignIns

from .assistants import FakeAssistants
from .batch_results import FakeBatchResults
from .batches import FakeBatches
from .crons import FakeCrons
from .runs import FakeRuns
from .sign_ins import FakeSignInStorage
from .store import FakeStore
from .system import FakeMetrics, FakeSystem
from .thread_events import FakeThreadEvents
from .thread_states import FakeThreadStates
from .threads import FakeThreads
from .ui import FakeUi


class FakeRuntime:
    """What `create_app` serves: every service is a fake."""

    def __init__(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        authenticator: Authenticator | None = None,
        web_app: WebApp | None = None,
        **project_options: Any,
    ) -> None:
        self.authenticator = authenticator
        self.encryption = None
        self.tracing = None
        self.web_app = web_app
        graph = GraphSpec(graph_id="chain", path="./g.py:chain", description="Adds <numbers>")
        project = Project(
            path=Path("langgraph.json"),
            directory=Path(),
            graphs={"chain": graph},
            import_paths=(),
            **project_options,
        )
        self.settings = Settings(project=project, check_answers=True, **(settings or {}))
        self.system = FakeSystem()
        self.metrics = FakeMetrics()
        self.assistants = FakeAssistants()
        self.threads = FakeThreads()
        self.thread_states = FakeThreadStates()
        self.thread_events = FakeThreadEvents()
        self.runs = FakeRuns()
        self.store = FakeStore()
        self.crons = FakeCrons()
        self.batches = FakeBatches()
        self.batch_results = FakeBatchResults()
        self.ui = FakeUi()
        self.sign_ins = SignIns(FakeSignInStorage())

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """There is nothing to stop."""
