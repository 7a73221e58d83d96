"""The project that is served, as langgraph.json describes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runyard.runtime.config.keys import UsedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """One graph as langgraph.json names it.

    path: "./file.py:name" or "package.module:name".
    config: what the configs of its runs start from; what assistants and requests say comes over it.
    """

    graph_id: str
    path: str
    description: str | None
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPolicy:
    """Which webhook targets are accepted (`webhooks.url`), and what they are sent.

    disable_loopback: private addresses count with loopback.
    allowed_domains: hosts, or "*.example.com" for all hosts below one; any host when empty.
    allowed_ports: any port when empty. max_url_length: characters.
    headers: names and values, templates filled in. They are secrets: no log and no error shows them.
    enabled: False sends nothing; runs that name a webhook are accepted all the same (`http.disable_webhooks`).
    """

    require_https: bool = True
    disable_loopback: bool = True
    allowed_domains: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = ()
    max_url_length: int | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """What browsers of other origins may do (`http.cors`).

    allow_origins: beside those of this machine, which are always allowed; "*": all. max_age: seconds.
    """

    allow_origins: tuple[str, ...] = ()
    allow_origin_regex: str | None = None
    allow_methods: tuple[str, ...] = ("*",)
    allow_headers: tuple[str, ...] = ("*",)
    allow_credentials: bool = False
    expose_headers: tuple[str, ...] = ()
    max_age: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFilter:
    """Names of headers in lower case, in which `*` stands for any characters (`http.configurable_headers`,
    `http.logging_headers`).

    includes: None takes those that begin with "x-". excludes wins over includes.
    """

    includes: tuple[str, ...] | None = None
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadTtl:
    """How long threads live that nobody gave a lifetime (`checkpointer.ttl`).

    strategy: what goes then: the thread, or its history.
    minutes: after the last change; None: they stay.
    sweep_seconds: between two looks for threads whose time is over; None: the server's own choice.
    sweep_limit: the most threads that go at one look; None: all.
    """

    strategy: Literal["delete", "keep_latest"] = "delete"
    minutes: float | None = None
    sweep_seconds: float | None = None
    sweep_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthCache:
    """For how long whom the handler gave for a request is taken for requests like it (`auth.cache`).

    headers: their names, in lower case; requests that have all of them, with the same values, are alike.
    most: how many of them are kept.
    """

    headers: tuple[str, ...]
    seconds: float = 60.0
    most: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSection:
    """Whose code says who makes a request (`auth`).

    path: of the `Auth` object, as that of a graph.
    disable_studio_auth: whether requests of Studio are requests like others, for the project's handlers to judge.
    openapi: security schemes, and what each operation asks of them, for the document that is served.
    cache: None: the handler is called for each request.
    """

    path: str
    disable_studio_auth: bool = False
    openapi: dict[str, Any] = field(default_factory=dict)
    cache: AuthCache | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSection:
    """The project's own web application, which is served around ours (`http.app`).

    path: of the application, as that of a graph.
    auth_first: whether requests are authenticated before its middleware sees them (`http.middleware_order`).
    authenticates: whether its own routes ask for authentication too (`http.enable_custom_route_auth`); None: the
        project does not say, and they do not.
    """

    path: str
    auth_first: bool = False
    authenticates: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTtl:
    """How long items of the store live that are put without a lifetime (`store.ttl`).

    minutes: after they were put; None: they stay. refresh_on_read: reading an item begins its time anew, where the
    reader says nothing. sweep_seconds: between two looks for items whose time is over; None: the server's own choice.
    """

    minutes: float | None = None
    refresh_on_read: bool = True
    sweep_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIndex:
    """How items of the store are found by what they mean (`store.index`).

    embed: what makes vectors of texts: "./file.py:name" or "package.module:name", a function or LangChain's Embeddings;
    or "provider:model". dims: numbers of each vector. fields: paths of the texts of an item whose writer names none.
    """

    embed: str
    dims: int
    fields: tuple[str, ...] = ("$",)

    @property
    def name(self) -> str:
        """Names the index: another one has other vectors."""
        said = "\0".join((self.embed, str(self.dims), *self.fields))
        return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class UiSection:
    """Components of front ends that come with the project (`ui`).

    paths: by name, usually that of a graph: the file whose default export has the components, from the project's
    folder. shared: modules that pages share with them instead of their bringing their own (`ui_config.shared`).
    """

    paths: dict[str, str]
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SerdeSection:
    """What states may hold (`checkpointer.serde`).

    classes: module and name of those that are made again, beside what is always safe; None: any that is made to hold
        data, or what LANGGRAPH_STRICT_MSGPACK leaves of them (`allowed_msgpack_modules`).
    json_classes: likewise of checkpoints that LangGraph has written as JSON, by the parts of their dotted names; True:
        any (`allowed_json_modules`).
    pickles: whether what has no other form is pickled, and pickles are read (`pickle_fallback`).
    """

    classes: tuple[tuple[str, str], ...] | None = None
    json_classes: tuple[tuple[str, ...], ...] | Literal[True] = ()
    pickles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A user's project: where it lies, which graphs it has, what they need around them.

    graphs: those that can be served. unserved: why others cannot, by graph id.
    env: what the file asks for; see `runyard.runtime.config.environment` for what wins over what.
    disabled: the groups of operations that are taken away, such as "store".
    configurable_headers: the request headers that runs find in their `configurable`; None: no headers.
    logging_headers: those that the log of requests has; None: requests are not logged.
    app: None: the project has no web application of its own.
    mount_prefix: the path below which all is served, such as "/api"; empty: all of them.
    auth: None: the project has no code that says who makes a request.
    encryption: the path of its `Encryption` object, as that of a graph; None: what is stored is plain.
    ui: None: it has no components.
    keys: all that the file uses.
    """

    path: Path
    directory: Path
    graphs: dict[str, GraphSpec]
    import_paths: tuple[Path, ...]
    unserved: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    webhooks: WebhookPolicy = WebhookPolicy()
    cors: CorsPolicy = CorsPolicy()
    disabled: frozenset[str] = frozenset()
    configurable_headers: HeaderFilter | None = None
    logging_headers: HeaderFilter | None = None
    app: AppSection | None = None
    mount_prefix: str = ""
    thread_ttl: ThreadTtl = ThreadTtl()
    auth: AuthSection | None = None
    encryption: str | None = None
    store_ttl: StoreTtl = StoreTtl()
    store_index: StoreIndex | None = None
    serde: SerdeSection = SerdeSection()
    keys: tuple[UsedKey, ...] = field(default=(), compare=False)
    ui: UiSection | None = None
