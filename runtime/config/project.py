"""The project that is served, as langgraph.json describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """One graph as langgraph.json names it. `path` is "./file.py:name" or "package.module:name"."""

    graph_id: str
    path: str
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPolicy:
    """Which webhook targets are accepted (`webhooks.url`). Private addresses count with loopback."""

    require_https: bool = True
    disable_loopback: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """What browsers of other origins may do (`http.cors`). `max_age` is in seconds."""

    allow_origins: tuple[str, ...] = ("*",)
    allow_origin_regex: str | None = None
    allow_methods: tuple[str, ...] = ("*",)
    allow_headers: tuple[str, ...] = ("*",)
    allow_credentials: bool = False
    expose_headers: tuple[str, ...] = ()
    max_age: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A user's project: where it lies, which graphs it has, what they need around them.

    `env` holds what the file asks for; variables that the process already has win over it.
    """

    path: Path
    directory: Path
    graphs: dict[str, GraphSpec]
    import_paths: tuple[Path, ...]
    env: dict[str, str] = field(default_factory=dict)
    webhooks: WebhookPolicy = WebhookPolicy()
    cors: CorsPolicy = CorsPolicy()
