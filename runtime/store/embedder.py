"""What makes vectors of texts, as the project says: code of the user's, which may take long, block, and fail."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from langchain_core.embeddings import Embeddings
from langgraph.store.base.embed import EmbeddingsLambda, ensure_embeddings

from runyard.runtime.config.project import Project, StoreIndex
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.graphs.loading import load_object, names_a_file
from runyard.runtime.graphs.user_errors import one_line

AT_ONCE: Final = 8
"""Calls of the user's code that are under way at once in a process. Others wait."""
LARGEST_CALL: Final = 128
"""Texts that one call gets, at the most."""


class Embedder:
    """Calls the user's code in threads of its own, and what is async of it in one event loop of its own, for clients
    that belong to a loop: no event loop of the server is held up. Used from any event loop."""

    def __init__(self, index: StoreIndex, embeddings: Embeddings) -> None:
        self._index = index
        self._embeddings = embeddings
        self._is_async = _is_async(embeddings)
        self._pool = ThreadPoolExecutor(AT_ONCE, "embed")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()

    async def documents(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text, as little-endian floats of 4 bytes. Raises Unavailable when the user's code fails, or
        answers anything else than `dims` numbers for each text."""
        vectors: list[bytes] = []
        for start in range(0, len(texts), LARGEST_CALL):
            part = list(texts[start : start + LARGEST_CALL])
            made = self._embeddings.aembed_documents if self._is_async else self._embeddings.embed_documents
            answer = await self._call(partial(made, part))
            found = [self._packed(vector) for vector in self._iterated(answer)]
            if len(found) != len(part):
                raise Unavailable(f"{self._place}: has made {len(found)} vectors of {len(part)} texts")
            vectors += found
        return vectors

    async def query(self, text: str) -> bytes:
        """The vector of what is looked for. Raises as `documents` does."""
        made = self._embeddings.aembed_query if self._is_async else self._embeddings.embed_query
        return self._packed(await self._call(partial(made, text)))

    async def _call(self, call: Callable[[], Any]) -> Any:
        def work() -> Any:
            try:
                return self._run(call) if self._is_async else call()
            except BaseException as error:
                raise Unavailable(f"{self._place}: failed: {one_line(error)}") from error

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _run(self, call: Callable[[], Awaitable[Any]]) -> Any:
        async def awaited() -> tuple[Any, BaseException | None]:
            try:
                return await call(), None
            except BaseException as error:  # noqa: BLE001 - SystemExit and its like would end the loop
                return None, error

        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="embed-loop", daemon=True).start()
        answer, error = asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()
        if error is not None:
            raise error
        return answer

    @property
    def _place(self) -> str:
        return f"store.index.embed ({self._index.embed})"

    def _iterated(self, answer: Any) -> Iterable[Any]:
        if isinstance(answer, Iterable):
            return answer
        raise Unavailable(f"{self._place}: has answered {type(answer).__name__}, and must answer a list of vectors")

    def _packed(self, vector: Any) -> bytes:
        try:
            numbers = [float(number) for number in vector]
        except (TypeError, ValueError):
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            raise Unavailable(f"{self._place}: has answered a vector that is no list of finite numbers")
        if len(numbers) != self._index.dims:
            raise Unavailable(
                f"{self._place}: has answered a vector of {len(numbers)} numbers, and store.index.dims is "
                f"{self._index.dims}; make them the same"
            )
        try:
            return struct.pack(f"<{len(numbers)}f", *numbers)
        except OverflowError:
            raise Unavailable(f"{self._place}: has answered a number that is too large for 4 bytes") from None


def load_embedder(project: Project) -> Embedder | None:
    """That of `store.index`; None without. For a thread in which no event loop runs, after the process was prepared for
    the project. Raises ConfigError."""
    index = project.store_index
    if index is None:
        return None
    place = f"{project.path}: store.index.embed ({index.embed})"
    target, _, name = index.embed.rpartition(":")
    if names_a_file(target) or ("." in target and name.isidentifier()):
        made = load_object(project, index.embed, place)
        if not callable(made) and not isinstance(made, Embeddings):
            raise ConfigError(f"{place}: is a {type(made).__name__}, and must be a function or LangChain's Embeddings")
    else:
        made = index.embed
    try:
        return Embedder(index, ensure_embeddings(made))
    except BaseException as error:  # what makes the embeddings of a provider is not ours
        raise ConfigError(f"{place}: {one_line(error)}") from error


def _is_async(embeddings: Embeddings) -> bool:
    """Whether it has an async way of its own. LangChain's own would only use the thread pool of nodes."""
    if isinstance(embeddings, EmbeddingsLambda):
        return hasattr(embeddings, "afunc")
    return type(embeddings).aembed_documents is not Embeddings.aembed_documents
