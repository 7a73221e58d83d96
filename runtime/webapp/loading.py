"""Imports the project's own web application, in each process that has a use for it."""

from __future__ import annotations

import inspect
from typing import Any

from runyard.runtime.config.project import Project
from runyard.runtime.errors import ConfigError
from runyard.runtime.graphs.loading import load_object, prepare_process
from runyard.runtime.webapp.lifespan import AsgiApp, Lifespan


class WebApp:
    """The application in one process. `asgi`: what serves requests. `lifespan`: what goes around them."""

    def __init__(self, asgi: AsgiApp, project: Project, place: str, *, timeout: float) -> None:
        """`place` names it in logs and errors. `timeout`: seconds that its lifespan gets to be ready."""
        self.asgi = asgi
        self.place = place
        self.lifespan = Lifespan(asgi, project, place, timeout=timeout)

    def become(self, other: WebApp) -> None:
        """Serves by `other` from now on: the project's code has changed."""
        vars(self).update(vars(other))


def load_web_app(project: Project, *, timeout: float) -> WebApp | None:
    """The application of `http.app`; None where the project has none. Its code is imported, so call it where no event
    loop runs. See `WebApp` for `timeout`. Raises ConfigError."""
    if project.app is None:
        return None
    place = f"{project.path}: http.app ({project.app.path})"
    prepare_process(project)
    app = load_object(project, project.app.path, place)
    _check(app, place)
    return WebApp(app, project, place, timeout=timeout)


def _check(app: Any, place: str) -> None:
    if inspect.isclass(app) or not callable(app):
        what = f"the class {app.__name__}" if inspect.isclass(app) else f"of type {type(app).__name__}"
        raise ConfigError(f"{place} is {what}; it must be an ASGI application, such as FastAPI() or Starlette()")
    try:
        inspect.signature(app).bind("scope", "receive", "send")
    except TypeError:
        if inspect.isroutine(app):
            name = getattr(app, "__name__", "it")
            raise ConfigError(
                f"{place} is a function, and no ASGI application; if it makes one, name what it returns: app = {name}()"
            ) from None
        raise ConfigError(
            f"{place} is of type {type(app).__name__}, which is no ASGI application: it takes no scope, receive and"
            " send; WSGI applications need an adapter, such as a2wsgi.WSGIMiddleware"
        ) from None
    except ValueError:  # a callable without a signature, which may well be one
        return
