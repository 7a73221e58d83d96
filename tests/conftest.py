"""Servers for all tests: one that many tests share, and as many of one's own as a test starts.

Also the rules of a test run: what `--full` adds, and the report of what was not tested.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.fuzz_seed import SEED_VARIABLE, fuzz_seed_of
from tests.gate import Gate
from tests.kept_servers import kept_servers
from tests.live_server import PROJECT, STARTED, Backend, KeptServer, LiveServer, StartServer
from tests.programs import note_untested, report_untested, untested

# Some tests run in this process what a server would run in its own.
os.environ.setdefault("LANGSMITH_TRACING", "false")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`, which take long")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keeps the tests as pytest compiles them, also where PYTHONDONTWRITEBYTECODE is set: compiling takes as long as
    collecting. What the tests themselves import and start is up to the environment."""
    asked, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = asked


def pytest_collection_finish() -> None:
    # Modules and thousands of tests stay until the end: no collection of garbage needs to look at them.
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    # The plugin of the tests that Schemathesis makes: to import it takes a second, and they are not in the usual run.
    if config.getoption("--full"):
        config.pluginmanager.import_plugin("schemathesis.pytest.plugin")


TESTS = Path(__file__).parent
LONG = ("crash", "full", "fuzz")
"""Folders whose files take long, and so come first: where processes share the tests, none has such a one left alone."""
ALONE = ("handlers", "storage", "unit")
"""Folders that share no servers, and so come next: those that the others share would go on beside them."""


def _turn(folder: str) -> int:
    return 0 if folder in LONG else 1 if folder in ALONE else 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _turn(item.path.relative_to(TESTS).parts[0]))
    if config.getoption("--full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `postgres` have their servers keep their data in a file, and then in Postgres; or, with --full, talk
    to several servers then."""
    marker = metafunc.definition.get_closest_marker("postgres")
    if marker is None or "backend" not in metafunc.fixturenames:
        return
    several = marker.kwargs.get("cluster") and not _needs_one_server(metafunc)
    backends: list[Backend] = ["postgres"] if marker.kwargs.get("always") else []
    with_full: list[Backend] = ["cluster"] if several else ["postgres"]
    left = [pytest.param(backend, marks=pytest.mark.full) for backend in with_full if backend not in backends]
    metafunc.parametrize("backend", ["sqlite", *backends, *left], indirect=True, scope="session")


def _needs_one_server(metafunc: pytest.Metafunc) -> bool:
    return "start_server" in metafunc.fixturenames or metafunc.definition.get_closest_marker("one_server") is not None


def pytest_report_header(config: pytest.Config) -> str:
    return f"fuzz seed: {fuzz_seed_of(config)} ({SEED_VARIABLE} sets another)"


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Where several processes share the tests, each tells the one that reports.
    output: dict[str, list[str]] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["untested"] = untested()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    note_untested(getattr(node, "workeroutput", {}).get("untested", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    report_untested(terminalreporter)


@pytest.fixture(autouse=True)
def _answers_keep_to_the_document() -> Iterator[None]:
    """Fails the test in which a server gave an answer that is not as the document says."""
    yield
    violations = [violation for server in STARTED for violation in server.violations()]
    assert not violations, "\n".join(violations)


@pytest.fixture(scope="session")
def fuzz_seed(pytestconfig: pytest.Config) -> int:
    """What the tests that make up requests start from; their failures name it."""
    return fuzz_seed_of(pytestconfig)


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """What keeps the data of a test's servers; tests marked `postgres` run on each."""
    backend: Backend = getattr(request, "param", "sqlite")
    return backend


@pytest.fixture
def start_server(tmp_path: Path, backend: Backend) -> Iterator[StartServer]:
    """Servers of a test's own, which end with it."""
    servers: list[LiveServer] = []

    def start(
        name: str = "data",
        *,
        config: Path = PROJECT,
        args: tuple[str, ...] = ("--workers", "2"),
        env: Mapping[str, str] | None = None,
    ) -> LiveServer:
        server = LiveServer(tmp_path / name, config=config, args=args, env=env, backend=backend)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def kept_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptServer]:
    """Servers that tests of several folders share."""
    with kept_servers(tmp_path_factory) as kept:
        yield kept


@pytest.fixture(scope="session")
def live_server(kept_server: KeptServer, backend: Backend) -> LiveServer:
    """One server with the graphs of tests/sample_graphs for all tests that only talk to it."""
    return kept_server(PROJECT, backend, 2)


@pytest.fixture
def client(live_server: LiveServer) -> LangGraphClient:
    """The stock client, connected to the shared server."""
    return get_client(url=live_server.url, api_key=None)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Holds runs until the test opens it; opened at the end of the test at the latest."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()
