"""Items are found by what they mean, whatever kind of embeddings the project has."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import ensure_embeddings

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import Project, StoreIndex
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.store import embedder
from runyard.runtime.store.embedder import Embedder, load_embedder
from runyard.runtime.store.fenced import FencedStore
from runyard.runtime.store.index import MOST_TEXTS, Index, load_index

PROJECT = Path(__file__).parents[2] / "sample_projects" / "remembering" / "langgraph.json"


def project(**index: Any) -> Project:
    found = load_project(PROJECT)
    return Project(
        path=found.path,
        directory=found.directory,
        graphs=found.graphs,
        import_paths=found.import_paths,
        store_index=StoreIndex(**{"embed": "./meanings.py:sync", "dims": 4, "fields": ("text",), **index}),
    )


def made(embeddings: Any, **index: Any) -> Index:
    """An index with these embeddings."""
    config = StoreIndex(**{"embed": "made", "dims": 2, **index})
    return Index(config, Embedder(config, ensure_embeddings(embeddings)))


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        yield storage


async def fenced(storage: SqliteStorage, index: Index | None) -> FencedStore:
    await storage.store.ready(dims=2)
    return FencedStore(storage.store, asyncio.get_running_loop(), None, index)


@pytest.mark.parametrize("name", ["sync", "asynchronous", "embeddings"])
async def test_functions_and_langchains_embeddings_find_what_is_near(storage: SqliteStorage, name: str) -> None:
    store = await fenced(storage, load_index(project(embed=f"./meanings.py:{name}")))
    await store.aput(("a",), "food", {"text": "Dumplings and soup", "other": "lake"})
    await store.aput(("a",), "trip", {"text": "By train to the lake"})
    await store.aput(("a",), "never", {"text": "swim in the sea"}, index=False)
    await store.aput(("a",), "other", {"text": "dumplings", "place": {"name": "a river"}}, index=["place.name"])
    found = await store.asearch(("a",), query="Where to swim?")
    assert [item.key for item in found] == ["other", "trip", "food"]
    assert found[0].score == pytest.approx(1.0, abs=0.01)
    recalled = await asyncio.to_thread(store.search, ("a",), query="What is there to eat?", limit=1)
    assert [item.key for item in recalled] == ["food"]
    await store.adelete(("a",), "food")
    assert "food" not in [item.key for item in await store.asearch(("a",), query="eat")]
    assert [item.score for item in await store.asearch(("a",), limit=1)] == [None]


async def test_what_cannot_be_loaded_is_said_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for embed, said in (
        ("./meanings.py:nothing", "is a NoneType, and must be a function"),
        ("./meanings.py:missing", "has no 'missing'"),
        ("./missing.py:sync", "does not exist"),
        ("no.such.module:sync", "importing it failed"),
        ("nobody:text-embedding", "langchain"),
    ):
        with pytest.raises(ConfigError, match=f"(?s)store.index.embed.*{said}"):
            load_embedder(project(embed=embed))
    monkeypatch.syspath_prepend(PROJECT.parent.parent)
    importlib.invalidate_caches()
    found = load_embedder(project(embed="remembering.meanings:sync"))
    assert found is not None
    assert len(await found.documents(["lake"])) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[1.0, 2.0, 3.0]], "a vector of 3 numbers, and store.index.dims is 2"),
        ([[1.0, 2.0]] * 2, "2 vectors of 1 texts"),
        ([], "0 vectors of 1 texts"),
        (None, "answered NoneType"),
        ([None], "no list of finite numbers"),
        ([["a", "b"]], "no list of finite numbers"),
        ([[float("nan"), 1.0]], "no list of finite numbers"),
        ([[1e300, 1.0]], "too large for 4 bytes"),
    ],
    ids=str,
)
async def test_an_answer_that_cannot_be_used_is_said(storage: SqliteStorage, answer: Any, said: str) -> None:
    store = await fenced(storage, made(lambda texts: answer))
    with pytest.raises(Unavailable, match=rf"store\.index\.embed \(made\): .*{said}"):
        await store.aput(("a",), "k", {"text": "lake"})
    assert await store.aget(("a",), "k") is None


@pytest.mark.parametrize("error", [ValueError("no words"), SystemExit(3), asyncio.CancelledError("no words")])
async def test_an_error_of_the_users_code_is_told_to_who_asked(storage: SqliteStorage, error: BaseException) -> None:
    async def failing(texts: Sequence[str]) -> list[list[float]]:
        raise error

    def failing_sync(texts: Sequence[str]) -> list[list[float]]:
        raise error

    for embed in (failing, failing_sync):
        store = await fenced(storage, made(embed))
        with pytest.raises(Unavailable, match=f"failed: {type(error).__name__}"):
            await store.asearch(("a",), query="lake")


async def test_code_that_blocks_holds_up_neither_the_event_loop_nor_the_pool_of_nodes(storage: SqliteStorage) -> None:
    release = threading.Event()

    async def blocking(texts: Sequence[str]) -> list[list[float]]:
        release.wait()
        return [[1.0, 0.0] for _ in texts]

    store = await fenced(storage, made(blocking))
    put = asyncio.create_task(store.aput(("a",), "k", {}))
    assert await asyncio.to_thread(lambda: "a pool thread")
    assert await store.aget(("a",), "k") is None
    release.set()
    await put
    assert await store.aget(("a",), "k") is not None


async def test_so_many_calls_are_under_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = threading.Lock()
    counts = {"now": 0, "most": 0}

    def counting(texts: Sequence[str]) -> list[list[float]]:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        time.sleep(0.002)
        with lock:
            counts["now"] -= 1
        return [[1.0, 0.0] for _ in texts]

    monkeypatch.setattr(embedder, "AT_ONCE", 2)
    index = made(counting)
    await asyncio.gather(*(index.embed([(b'{"n":1}', None)]) for _ in range(20)))
    assert counts["most"] <= 2


async def test_many_texts_are_embedded_in_parts() -> None:
    sizes: list[int] = []

    def noting(texts: Sequence[str]) -> list[list[float]]:
        sizes.append(len(texts))
        return [[float(text), 1.0] for text in texts]

    index = made(noting, fields=("n[*]",))
    (embedded,) = await index.embed(
        [(b"[]".join((b'{"n":', b"}")).replace(b"[]", str(list(range(300))).encode()), None)]
    )
    assert (sizes, len(embedded.vectors)) == ([128, 128, 44], 300)


async def test_an_item_with_too_many_texts_is_refused(storage: SqliteStorage) -> None:
    store = await fenced(storage, made(lambda texts: [[1.0, 0.0] for _ in texts], fields=("n[*]",)))
    with pytest.raises(ValueError, match="more than 1,000 texts"):
        await store.aput(("a",), "k", {"n": list(range(MOST_TEXTS + 1))})


async def test_queries_are_embedded_as_queries(storage: SqliteStorage) -> None:
    class Asymmetric(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, 0.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            return [0.0, 1.0]

    store = await fenced(storage, made(Asymmetric()))
    await store.aput(("a",), "k", {})
    (found,) = await store.asearch(("a",), query="k")
    assert found.score == pytest.approx(0.0)


def test_another_embedding_dimension_or_field_is_another_index() -> None:
    names = {
        StoreIndex(embed=embed, dims=dims, fields=fields).name
        for embed in ("a:b", "a:c")
        for dims in (2, 3)
        for fields in (("$",), ("text",), ("text", "title"))
    }
    assert len(names) == 12
