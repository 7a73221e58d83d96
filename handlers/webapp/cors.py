"""What the application's own `CORSMiddleware` says, which holds for our operations too: it is around them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

from runyard.handlers.http.callers import Origins
from runyard.runtime.config.project import CorsPolicy


def origins_of(app: Starlette | None, around: Iterable[Any]) -> Origins | None:
    """The origins whose pages it lets in; None: it has no such middleware. `around`: the middlewares around it."""
    said: list[dict[str, Any]] = []
    for wrapper in around:
        if isinstance(wrapper, CORSMiddleware):
            said.append(vars(wrapper))
    for middleware in () if app is None else app.user_middleware:
        kind = middleware.cls
        if isinstance(kind, type) and issubclass(kind, CORSMiddleware):
            said.append(dict(middleware.kwargs))
    if not said:
        return None
    origins = [origin for options in said for origin in options.get("allow_origins", ())]
    if any(options.get("allow_all_origins") for options in said):
        origins.append("*")
    # A pattern is a text, or compiled by a middleware that was made already.
    patterns = [getattr(found, "pattern", found) for options in said if (found := options.get("allow_origin_regex"))]
    regex = "|".join(f"(?:{pattern})" for pattern in patterns) or None
    return Origins(CorsPolicy(allow_origins=tuple(origins), allow_origin_regex=regex))
