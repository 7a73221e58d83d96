"""Factories get what their parameters ask for, whatever form factory and annotation have."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from runyard.runtime.errors import ConfigError
from runyard.runtime.graphs.factories import Access
from runyard.runtime.graphs.registry import Graphs

from .written_graphs import GRAPH_SOURCE, written_graphs

HEAD = (
    """
import contextlib, functools, typing
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Optional, TypedDict, TypeVar
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph_sdk.runtime import ServerRuntime
from pydantic import BaseModel
"""
    + GRAPH_SOURCE
    + """
got = []
def give(*seen, **named):
    got.append((*seen, named) if named else seen)
    return graph

@dataclass
class Ctx:
    endpoint: str = "none"
class Model(BaseModel):
    endpoint: str = "none"
class Dict(TypedDict, total=False):
    endpoint: str
"""
)
CONFIG: Any = {"configurable": {"k": 1}}


async def given(
    folder: Path, source: str, *, head: str = HEAD, access: Access = "threads.create_run", **call: Any
) -> tuple[Any, ...]:
    """What the factory `f` of the source was called with."""
    module = f"factories_{folder.name.replace('-', '_')}"
    graphs = written_graphs(folder, {"g": f"./{module}.py:f"}, {f"{module}.py": f"{head}\n{source}"})
    graphs.load()
    async with AsyncExitStack() as exits:
        await graphs.open("g", CONFIG, store=call.pop("store", None), access=access, exits=exits, **call)
    (seen,) = calls_in(module)
    return seen


def calls_in(module: str) -> list[tuple[Any, ...]]:
    """What the factories of a module were called with."""
    calls: list[tuple[Any, ...]] = sys.modules[module].got
    return calls


NOTHING = (
    "def f(): return give()",
    "async def f(): return give()",
    "f = lambda: give()",
    "@contextlib.contextmanager\ndef f(): yield give()",
    "@contextlib.asynccontextmanager\nasync def f(): yield give()",
    "f = functools.partial(lambda config: give(), {})",
    "class F:\n    def __call__(self): return give()\nf = F()",
    "class F:\n    async def __call__(self): return give()\nf = F()",
    "class F:\n    @classmethod\n    def make(cls): return give()\nf = F.make",
    "class F:\n    def make(self): return give()\nf = F().make",
    "def f(model='gpt', *, temperature: float = 0.5): return give()",
    "def f(**options: Any): return give()",
)


@pytest.mark.parametrize("source", NOTHING)
async def test_a_factory_that_asks_for_nothing_gets_nothing(tmp_path: Path, source: str) -> None:
    assert await given(tmp_path, source) == ()


CONFIGS = (
    "def f(config): return give(config)",
    "def f(anything): return give(anything)",
    "def f(cfg=None): return give(cfg)",
    "def f(config: RunnableConfig): return give(config)",
    "async def f(config: RunnableConfig): return give(config)",
    "def f(config: 'RunnableConfig'): return give(config)",
    "def f(config: RunnableConfig | None = None): return give(config)",
    "def f(config: Optional[RunnableConfig] = None): return give(config)",
    "def f(c: Annotated[RunnableConfig, 'doc']): return give(c)",
    "def f(*, config: RunnableConfig): return give(config)",
    "def f(*, config): return give(config)",
    "def f(config: dict): return give(config)",
    "def f(config: dict[str, Any]): return give(config)",
    "def f(config: typing.Mapping[str, Any]): return give(config)",
    "def f(config: Any): return give(config)",
    "def f(model='gpt', config: RunnableConfig = None): return give(config)",
    "def f(*args): return give(*args)",
    "@contextlib.contextmanager\ndef f(config: RunnableConfig): yield give(config)",
    "@contextlib.asynccontextmanager\nasync def f(config: 'RunnableConfig'): yield give(config)",
    "f = functools.partial(lambda kind, config: give(config), 'kind')",
    "def made(config: RunnableConfig, kind): return give(config)\nf = functools.partial(made, kind='kind')",
    "class F:\n    def __call__(self, config: RunnableConfig): return give(config)\nf = F()",
    "class F:\n    def make(self, config: 'RunnableConfig'): return give(config)\nf = F().make",
    "class F:\n    @staticmethod\n    def make(config): return give(config)\nf = F.make",
)


@pytest.mark.parametrize("source", CONFIGS)
async def test_a_factory_gets_the_config(tmp_path: Path, source: str) -> None:
    assert await given(tmp_path, source) == (CONFIG,)


RUNTIMES = (
    "def f(runtime: ServerRuntime): return give(runtime)",
    "async def f(runtime: ServerRuntime): return give(runtime)",
    "def f(runtime: 'ServerRuntime'): return give(runtime)",
    "def f(runtime: 'ServerRuntime[Ctx]'): return give(runtime)",
    "def f(runtime: ServerRuntime[Ctx]): return give(runtime)",
    "def f(runtime: ServerRuntime[Ctx] | None): return give(runtime)",
    "def f(runtime: Optional[ServerRuntime] = None): return give(runtime)",
    "def f(*, runtime: ServerRuntime): return give(runtime)",
    "@contextlib.asynccontextmanager\nasync def f(runtime: ServerRuntime[Ctx]): yield give(runtime)",
    "@contextlib.contextmanager\ndef f(runtime: ServerRuntime): yield give(runtime)",
    "f = functools.partial(lambda kind, config, runtime: give(runtime), 'kind')",
    "class F:\n    def __call__(self, runtime: ServerRuntime): return give(runtime)\nf = F()",
)


@pytest.mark.parametrize("source", RUNTIMES)
async def test_a_factory_gets_the_server_runtime(tmp_path: Path, source: str) -> None:
    store = InMemoryStore()
    (runtime,) = await given(tmp_path, source, store=store, context={"endpoint": "here", "other": 1})
    assert runtime.access_context == "threads.create_run"
    assert runtime.execution_runtime is runtime
    assert runtime.store is store
    assert runtime.user is None
    with pytest.raises(PermissionError):
        runtime.ensure_user()


BOTH = (
    "def f(config: RunnableConfig, runtime: ServerRuntime): return give(config, runtime)",
    "def f(runtime: ServerRuntime, config: RunnableConfig): return give(config, runtime)",
    "def f(runtime: 'ServerRuntime[Ctx]', *, config: 'RunnableConfig'): return give(config, runtime)",
    "def f(*, runtime: ServerRuntime, config: RunnableConfig): return give(config, runtime)",
    "def f(config, runtime): return give(config, runtime)",
    "async def f(config: RunnableConfig, *, runtime: ServerRuntime): return give(config, runtime)",
    "def f(r: ServerRuntime, c: RunnableConfig, extra: int = 3): return give(c, r)",
    "def f(r: ServerRuntime, extra: int = 3, c: RunnableConfig = None): return give(c, r)",
)


@pytest.mark.parametrize("source", BOTH)
async def test_a_factory_gets_config_and_runtime_in_any_order(tmp_path: Path, source: str) -> None:
    config, runtime = await given(tmp_path, source)
    assert config == CONFIG
    assert runtime.execution_runtime is not None


@pytest.mark.parametrize(
    "source",
    [
        "def f(config: RunnableConfig, runtime: ServerRuntime[Ctx]): return give(config, runtime)",
        "def f(runtime: ServerRuntime | None = None, config: RunnableConfig = None): return give(config, runtime)",
        "@contextlib.asynccontextmanager\nasync def f(*, runtime: ServerRuntime, config: RunnableConfig):\n"
        "    yield give(config, runtime)",
    ],
)
@pytest.mark.parametrize("checked_only", [False, True])
async def test_annotations_that_are_text_are_understood(tmp_path: Path, source: str, checked_only: bool) -> None:
    """From the future, and of names that only type checkers know."""
    head = f"from __future__ import annotations\n{HEAD}"
    if checked_only:
        imported = "from langgraph_sdk.runtime import ServerRuntime\n"
        head = head.replace(imported, f"if typing.TYPE_CHECKING:\n    {imported}")
    config, runtime = await given(tmp_path, source, head=head)
    assert config == CONFIG
    assert runtime.access_context == "threads.create_run"


@pytest.mark.parametrize("access", ["threads.update", "threads.read", "assistants.read"])
async def test_nothing_but_a_run_has_an_execution_runtime(tmp_path: Path, access: Access) -> None:
    (runtime,) = await given(
        tmp_path, "def f(runtime: ServerRuntime[Ctx]): return give(runtime)", access=access, context={"endpoint": "x"}
    )
    assert runtime.access_context == access
    assert runtime.execution_runtime is None
    assert not hasattr(runtime, "context")


@pytest.mark.parametrize(
    ("annotation", "endpoint"),
    [
        ("ServerRuntime[Ctx]", lambda context: context.endpoint),
        ("ServerRuntime[Model]", lambda context: context.endpoint),
        ("ServerRuntime[Dict]", lambda context: context["endpoint"]),
        ("ServerRuntime", lambda context: context["endpoint"]),
        ("Runtime[Ctx]", lambda context: context.endpoint),
        ("Runtime", lambda context: context["endpoint"]),
    ],
)
async def test_the_context_has_the_type_that_the_annotation_names(
    tmp_path: Path, annotation: str, endpoint: Any
) -> None:
    source = f"def f(runtime: {annotation}): return give(runtime)"
    (runtime,) = await given(tmp_path, source, context={"endpoint": "here", "other": 1}, store=InMemoryStore())
    assert endpoint(runtime.context) == "here"


async def test_a_class_of_context_has_its_defaults_when_nothing_is_given(tmp_path: Path) -> None:
    (runtime,) = await given(tmp_path, "def f(runtime: ServerRuntime[Ctx]): return give(runtime)")
    assert runtime.context.endpoint == "none"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def f(user: str): return graph", "user: str"),
        ("def f(config: RunnableConfig, tools): return graph", "tools"),
        ("def f(config: RunnableConfig, *, db: 'Database'): return graph", "db: 'Database'"),
        ("class F:\n    def __call__(self, a: int): return graph\nf = F()", "a: int"),
    ],
)
async def test_what_a_factory_cannot_get_is_said(tmp_path: Path, source: str, name: str) -> None:
    with pytest.raises(ConfigError) as error:
        await given(tmp_path, source)
    assert f"'{name}' is none of what a factory may take" in error.value.detail


async def test_a_factory_that_wants_to_see_the_store_gets_the_servers_own(tmp_path: Path) -> None:
    store = InMemoryStore()
    source = f"{HEAD}\ndef wants(runtime: ServerRuntime): return give(runtime)\ndef plain(config): return give()"
    written = written_graphs(tmp_path, {"w": "./store_seen.py:wants", "p": "./store_seen.py:plain"}, {})
    (tmp_path / "store_seen.py").write_text(source)
    graphs = Graphs(written._project, store)
    graphs.load()
    await graphs.open("w", CONFIG, store=None, access="threads.read")
    assert calls_in("store_seen")[-1][0].store is store
