"""What is logged, in which form, and what is left to the user's own logging configuration."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.config
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

from runyard.runtime.errors import ConfigError
from runyard.runtime.telemetry.logs import OWN, LogSettings, RunFields, configure_logs, keep_logging, log_as_run

RUN = RunFields("run-1", "thread-1", "agent", "worker-1")
Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configures logging as a process of the server does, with nothing of the tests' own in the root logger;
    gives what is written."""
    root, last = logging.getLogger(), logging.lastResort
    kept = [(logging.getLogger(name), logging.getLogger(name).__dict__.copy()) for name in OWN]
    handlers, level = root.handlers, root.level
    written = io.StringIO()

    def begin(worker: str | None = None, *, stream: io.StringIO = written, **environment: str) -> io.StringIO:
        root.handlers = []
        monkeypatch.setattr(sys, "stderr", stream)
        for name in ("RUNYARD_LOG", "RUNYARD_LOG_FORMAT"):
            monkeypatch.delenv(name, raising=False)
        configure_logs(worker=worker, project=environment)
        return stream

    yield begin
    logging.lastResort = last
    root.handlers = handlers
    root.setLevel(level)
    for logger, state in kept:
        logger.handlers, logger.propagate = state["handlers"], state["propagate"]
        logger.setLevel(state["level"])


@pytest.fixture
def user_module(tmp_path: Path) -> ModuleType:
    """A module of a project, which logs and fails."""
    file = tmp_path / "nodes.py"
    file.write_text(
        "import json, logging\n"
        "logger = logging.getLogger('project.nodes')\n"
        "def debug(text):\n    logger.debug(text)\n"
        "def parse(text):\n    return json.loads(text)\n"
        "def wrap(text):\n"
        "    try:\n        parse(text)\n"
        "    except ValueError as error:\n        raise LookupError('no answer') from error\n"
    )
    module = ModuleType("nodes")
    exec(compile(file.read_text(), str(file), "exec"), module.__dict__)
    return module


def failure(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, that is what the test wants
        return error
    raise AssertionError("it did not fail")


def in_run(act: Callable[[], None]) -> None:
    """Acts as a run's task does."""

    async def run() -> None:
        log_as_run(RUN)
        act()

    asyncio.run(run())


def test_json_is_one_object_a_line_with_all_fields(configure: Configure) -> None:
    written = configure("worker-1", RUNYARD_LOG_FORMAT="json")
    logging.getLogger("runyard.test").warning("first\nline")
    in_run(lambda: logging.getLogger("runyard.test").error("second"))
    first, second = map(json.loads, written.getvalue().splitlines())
    keys = {"time", "level", "logger", "message", "run_id", "thread_id", "graph_id", "worker", "exception"}
    assert first.keys() == second.keys() == keys
    assert (first["level"], first["logger"], first["message"]) == ("WARNING", "runyard.test", "first\nline")
    assert (first["run_id"], first["exception"], first["worker"]) == (None, None, "worker-1")
    assert (second["run_id"], second["thread_id"], second["graph_id"]) == ("run-1", "thread-1", "agent")


def test_json_holds_an_exception_and_text_that_is_not_unicode(configure: Configure) -> None:
    written = configure(RUNYARD_LOG_FORMAT="json")
    logging.getLogger("runyard.test").error("half a pair: \ud800", exc_info=failure(lambda: 1 // 0))
    (line,) = written.getvalue().splitlines()
    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_a_record_names_its_run_itself(configure: Configure) -> None:
    written = configure(RUNYARD_LOG_FORMAT="json")
    logging.getLogger("runyard.test").warning("given up", extra={"run_id": "run-2"})
    assert json.loads(written.getvalue())["run_id"] == "run-2"


def test_nodes_log_with_the_ids_of_their_run_sync_and_async(configure: Configure) -> None:
    written = configure(RUNYARD_LOG_FORMAT="json")

    class State(TypedDict, total=False):
        done: bool

    def in_pool(state: State) -> Any:
        logging.getLogger("project").warning("in a pool thread")
        return {"done": True}

    async def on_loop(state: State) -> Any:
        logging.getLogger("project").warning("on the loop")
        return {"done": True}

    graph = StateGraph(State).add_node(in_pool).add_node(on_loop)
    compiled = graph.add_edge(START, "in_pool").add_edge("in_pool", "on_loop").compile()

    async def run(number: int) -> None:
        log_as_run(RunFields(f"run-{number}", f"thread-{number}", "agent"))
        await compiled.ainvoke({})

    async def both() -> None:
        await asyncio.gather(run(1), run(2))

    asyncio.run(both())
    entries = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {(entry["message"], entry["run_id"], entry["thread_id"]) for entry in entries} == {
        (message, f"run-{number}", f"thread-{number}")
        for message in ("in a pool thread", "on the loop")
        for number in (1, 2)
    }


def test_text_is_plain_and_ends_with_the_ids(configure: Configure) -> None:
    written = configure()
    in_run(lambda: logging.getLogger("runyard.test").warning("about run-1"))
    line = written.getvalue()
    assert "WARNING runyard.test: about run-1 [thread=thread-1 graph=agent]\n" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_only_a_terminal_gets_colours(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, no_colour: str, coloured: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("TERM", "xterm")
    written = configure(stream=Terminal())
    logging.getLogger("runyard.test").warning("seen")
    assert ("\x1b[33mWARNING\x1b[0m" in written.getvalue()) is coloured


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"RUNYARD_LOG": "LOUD"}, "RUNYARD_LOG"),
        ({"RUNYARD_LOG": "INFO,=DEBUG"}, "RUNYARD_LOG"),
        ({"RUNYARD_LOG_FORMAT": "xml"}, "RUNYARD_LOG_FORMAT"),
    ],
)
def test_a_wrong_setting_names_itself(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        LogSettings.from_environment(environment)


def test_levels_are_read_in_any_case() -> None:
    settings = LogSettings.from_environment({"RUNYARD_LOG": "info, httpx=debug"})
    assert (settings.level, settings.loggers) == (logging.INFO, {"httpx": logging.DEBUG})


def test_debug_shows_the_projects_lines_and_not_those_of_libraries(
    configure: Configure, user_module: ModuleType
) -> None:
    written = configure(RUNYARD_LOG="DEBUG")
    user_module.debug("from the project")
    asyncio.new_event_loop().close()  # asyncio says which selector it uses
    assert "from the project" in written.getvalue()
    assert "asyncio" not in written.getvalue()


def test_debugging_lines_of_a_library_can_be_asked_for(configure: Configure) -> None:
    written = configure(RUNYARD_LOG="WARNING,asyncio=DEBUG")
    asyncio.new_event_loop().close()
    assert "DEBUG asyncio: " in written.getvalue()
    logging.getLogger("asyncio").setLevel(logging.NOTSET)


def test_a_project_that_configures_the_root_logger_keeps_its_way(configure: Configure) -> None:
    written = configure()
    own = io.StringIO()
    logging.basicConfig(stream=own, level=logging.INFO, format="mine: %(message)s")
    logging.getLogger("project").info("the project's")
    logging.getLogger("runyard.test").warning("the server's")
    assert own.getvalue() == "mine: the project's\n"
    assert written.getvalue().count("the server's") == 1
    assert "the project's" not in written.getvalue()


def test_a_projects_logging_config_does_not_silence_the_server(configure: Configure) -> None:
    written = configure()
    logger = logging.getLogger("runyard.test")
    others = [other for other in vars(logging.root.manager)["loggerDict"].values() if other is not logger]
    enabled = [other for other in others if isinstance(other, logging.Logger) and not other.disabled]
    logging.config.dictConfig({"version": 1, "root": {"level": "INFO"}})
    assert logger.disabled
    keep_logging()
    logger.warning("still heard")
    for other in enabled:
        other.disabled = False
    assert "still heard" in written.getvalue()


def test_a_traceback_shows_the_users_frames_first(configure: Configure, user_module: ModuleType) -> None:
    written = configure()
    error = failure(lambda: user_module.wrap("{"))
    logging.getLogger("runyard.test").error("it failed", exc_info=error)
    text = written.getvalue()
    cause, effect, library = text.index("JSONDecodeError:"), text.index("LookupError: no answer"), text.index("json/")
    assert text.index("in parse") < cause < effect < library
    assert "direct cause" in text


def test_a_traceback_of_a_library_alone_is_shown_whole(configure: Configure) -> None:
    written = configure()
    error = failure_of_library()
    logging.getLogger("runyard.test").error("it failed", exc_info=error)
    assert "json/decoder.py" in written.getvalue()
    assert "Frames of libraries" not in written.getvalue()


def failure_of_library() -> Exception:
    error = failure(lambda: json.loads("{"))
    assert error.__traceback__ is not None
    while "/json/" not in error.__traceback__.tb_frame.f_code.co_filename:
        assert error.__traceback__.tb_next is not None
        error.__traceback__ = error.__traceback__.tb_next
    return error


def test_a_group_shows_its_first_leaf(configure: Configure, user_module: ModuleType) -> None:
    written = configure()
    leaf = failure(lambda: user_module.parse("{"))
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [leaf, ValueError("second")])])
    logging.getLogger("runyard.test").error("it failed", exc_info=group)
    text = written.getvalue()
    assert text.index("in parse") < text.index("JSONDecodeError") < text.index("ExceptionGroup: outer")


def test_causes_that_go_in_a_circle_end(configure: Configure) -> None:
    written = configure()
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    logging.getLogger("runyard.test").error("it failed", exc_info=first)
    assert written.getvalue().count("ValueError: first") == 1


async def test_entries_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    code = (
        "import logging, sys; from runyard.runtime.telemetry.logs import configure_logs; configure_logs()\n"
        "for _ in range(200): logging.getLogger('runyard.test').error(sys.argv[1] * 7000)"
    )
    with (tmp_path / "log").open("ab") as log:
        writers = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, letter, stderr=log, env={"RUNYARD_LOG_FORMAT": "json"}
            )
            for letter in "ab"
        ]
        assert [await writer.wait() for writer in writers] == [0, 0]
    messages = [json.loads(line)["message"] for line in (tmp_path / "log").read_text().splitlines()]
    assert len(messages) == 400
    assert {*messages} == {"a" * 7000, "b" * 7000}


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_entry_is_longer_than_some_kilobytes(configure: Configure, user_module: ModuleType, form: str) -> None:
    written = configure(RUNYARD_LOG_FORMAT=form)
    error = ValueError("x" * 1_000_000)
    error.__cause__ = failure(lambda: user_module.parse("{"))
    error.add_note("n" * 1_000_000)
    logging.getLogger("project").error("m" * 1_000_000, exc_info=error)
    assert len(written.getvalue()) < 30_000
    assert "characters left out" in written.getvalue()
