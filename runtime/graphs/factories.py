"""Functions that make a graph, and what they want to be called with.

Each parameter is told by its annotation: `RunnableConfig` (or another mapping), `ServerRuntime` of langgraph_sdk,
`Runtime` of LangGraph; also as text, generic, optional, annotated and by keyword. A single one without annotation
gets the config. What has a default and is none of these keeps its default.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, is_typeddict

from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore

from runyard.runtime.auth.user import User
from runyard.runtime.errors import ConfigError
from runyard.runtime.graphs.configurable import USER
from runyard.runtime.graphs.context import context_instance

Access = Literal["threads.create_run", "threads.update", "threads.read", "assistants.read"]
"""Why a graph is made: to run it, to edit a state, to read one, to look at the graph itself."""

_SERVER_RUNTIME = "langgraph_sdk.runtime"
_UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryCall:
    """One call of a factory. `context`: what the client of a run gave. `store`: None where there is none."""

    config: RunnableConfig
    access: Access
    context: Mapping[str, Any] | None
    store: BaseStore | None

    @property
    def user(self) -> User | None:
        """For whom the graph is made, as its config says."""
        user: User | None = self.config.get("configurable", {}).get(USER)
        return user


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one parameter gets. `schema`: the type of the runtime's context, where the annotation names it."""

    kind: Literal["config", "server", "graph"]
    schema: type | None = None


class Factory:
    """Calls a function with what it asks for."""

    def __init__(self, function: Callable[..., Any], place: str) -> None:
        """Raises ConfigError, beginning with `place`, when the function needs something that there is not."""
        self._function = function
        self._positional, self._named = _wishes(function, place)

    @property
    def wants_store(self) -> bool:
        """Whether it sees the server's store."""
        return any(wish.kind != "config" for wish in (*self._positional, *self._named.values()))

    def __call__(self, call: FactoryCall) -> Any:
        """What the function gives; it raises what the function raises."""
        positional = [_given(wish, call) for wish in self._positional]
        return self._function(*positional, **{name: _given(wish, call) for name, wish in self._named.items()})


def _given(wish: _Wish, call: FactoryCall) -> Any:
    if wish.kind == "config":
        return call.config
    if wish.kind == "graph":
        return Runtime(context=context_instance(wish.schema, call.context), store=call.store)
    # Only factories that name it need it, and then it is there.
    from langgraph_sdk import runtime as sdk

    known: Any = {"access_context": call.access, "user": call.user, "store": call.store}
    if call.access != "threads.create_run":
        return sdk._ReadRuntime(**known)
    return sdk._ExecutionRuntime(**known, context=context_instance(wish.schema, call.context))


def _wishes(function: Callable[..., Any], place: str) -> tuple[list[_Wish], dict[str, _Wish]]:
    """What to give by position and what by name."""
    try:
        parameters = _parameters(function)
    except (TypeError, ValueError):  # a builtin, or an extension's function
        return [], {}
    positional: list[_Wish] = []
    named: dict[str, _Wish] = {}
    plain = [item for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
    if not plain and any(item.kind is item.VAR_POSITIONAL for item in parameters):
        return [_Wish("config")], {}  # what a decorator hides: most factories take a config
    by_name = False
    for item in plain:
        wish = _wish(item, alone=len(plain) == 1)
        if wish is None and item.default is item.empty:
            raise ConfigError(f"{place} is a function of ({', '.join(map(str, plain))}); {_explain(item)}")
        if wish is None:
            by_name = True  # what follows the default cannot be given by position
        elif by_name or item.kind is item.KEYWORD_ONLY:
            named[item.name] = wish
        else:
            positional.append(wish)
    return positional, named


def _explain(item: inspect.Parameter) -> str:
    return (
        f"'{item}' is none of what a factory may take: "
        "a RunnableConfig, a ServerRuntime, a Runtime, each by its annotation, or nothing"
    )


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Annotations that are text are evaluated, each by itself: one name may be imported for type checkers only."""
    names = getattr(_innermost(function), "__globals__", {})
    found = []
    for item in inspect.signature(function).parameters.values():
        annotation = item.annotation
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, names)
            except Exception:  # noqa: BLE001 - it names what is not there at run time; the text says enough
                annotation = item.annotation
        found.append(item.replace(annotation=annotation))
    return found


def _innermost(function: Callable[..., Any]) -> Any:
    """The function behind partials, methods, callable objects and decorators."""
    inner: Any = function
    while True:
        inner = inspect.unwrap(inner)
        if hasattr(inner, "func"):  # functools.partial
            inner = inner.func
        elif hasattr(inner, "__func__"):
            inner = inner.__func__
        elif not hasattr(inner, "__globals__") and hasattr(type(inner).__call__, "__globals__"):
            return type(inner).__call__
        else:
            return inner


def _wish(item: inspect.Parameter, *, alone: bool) -> _Wish | None:
    """What the parameter gets; None if nothing can be told."""
    if item.annotation is not item.empty:
        return _wish_of(item.annotation) or (_Wish("config") if alone and item.annotation is Any else None)
    if item.name == "runtime" and not alone:
        return _Wish("server")
    if item.name == "config" or (alone and item.default in (item.empty, None)):
        return _Wish("config")
    return None


def _wish_of(annotation: Any) -> _Wish | None:
    if isinstance(annotation, str):
        return _wish_of_text(annotation)
    if isinstance(annotation, typing.ForwardRef):
        return _wish_of_text(annotation.__forward_arg__)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS:
        return next((wish for part in arguments if (wish := _wish_of(part)) is not None), None)
    if origin is typing.Annotated:
        return _wish_of(arguments[0])
    kind = origin if origin is not None else annotation
    if kind is Runtime:
        return _Wish("graph", _schema(arguments))
    if _is_server_runtime(kind):
        return _Wish("server", _schema(arguments))
    if is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, Mapping)):
        return _Wish("config")
    return None


def _wish_of_text(annotation: str) -> _Wish | None:
    words = set(re.findall(r"\w+", annotation.partition("[")[0] if "Optional" not in annotation else annotation))
    if "ServerRuntime" in words:
        return _Wish("server")
    if "RunnableConfig" in words:
        return _Wish("config")
    return _Wish("graph") if "Runtime" in words else None


def _is_server_runtime(kind: Any) -> bool:
    sdk = sys.modules.get(_SERVER_RUNTIME)
    if sdk is None:
        return False
    return kind is sdk.ServerRuntime or (isinstance(kind, type) and issubclass(kind, sdk._ServerRuntimeBase))


def _schema(arguments: tuple[Any, ...]) -> type | None:
    return arguments[0] if arguments and isinstance(arguments[0], type) else None
