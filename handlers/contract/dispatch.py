"""Calls `async def` handlers on the event loop, without Flask, and leaves plain functions to Flask."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from connexion.operations.abstract import AbstractOperation

from runyard.handlers.http.scope import ARGUMENTS, Receive, Scope, Send


class DispatchOperation:
    """One operation of the document."""

    def __init__(self, next_app: Any, function: Callable[..., Any]) -> None:
        self.next_app = next_app
        self.function = function if inspect.iscoroutinefunction(function) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Taken out of the scope: parsed bodies that stay there for the length of a stream cost memory, and
        # the garbage collector's time with it.
        arguments = scope.pop(ARGUMENTS)
        if self.function is None:
            await self.next_app(scope, receive, send)
            return
        response = await self.function(**arguments)
        del arguments
        await response(scope, receive, send)


class DispatchAPI(RoutedAPI[DispatchOperation]):
    """All operations of the document."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> DispatchOperation:
        return DispatchOperation(self.next_app, operation.function)


class DispatchMiddleware(RoutedMiddleware[DispatchAPI]):
    """Stands directly in front of Connexion's context and Flask."""

    api_cls = DispatchAPI
