"""Every key that langgraph.json may have, and what is done with it: the one table behind the warnings of a start, and
behind what `runyard doctor` says.

A key with a row stands for all that is below it. Sections have no row of their own: they are known by the keys that
they have. `*` stands for a name that the project chooses. What reads a section checks its values; that a key is not
known is said here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from runyard.runtime.errors import ConfigError

logger = logging.getLogger(__name__)

Treatment = Literal["honoured", "image", "ignored", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Key:
    """What is done with a key.

    treatment: "image": it only matters to who builds a container image, or serves the project otherwise. "ignored": the
    start goes on with a warning. "refused": it does not, since data would be open, or elsewhere than its owner thinks.
    said: of an honoured key what it is for, else what is lost without it and what helps.
    harmless: values of an ignored or a refused key that ask for nothing.
    """

    treatment: Treatment
    said: str
    harmless: tuple[Any, ...] = (None, False, "", [], {})


@dataclass(frozen=True, slots=True)
class UsedKey:
    """A key that a project uses. path: with the names that the project has chosen."""

    path: str
    key: Key


def _honoured(**said: str) -> dict[str, Key]:
    return {name: Key("honoured", text) for name, text in said.items()}


def _within(section: str, keys: Mapping[str, Key]) -> dict[str, Key]:
    return {f"{section}.{name}": key for name, key in keys.items()}


_UNKNOWN: Final = Key("unknown", "the key is not known")
_IMAGE: Final = Key("image", "it matters for building container images only")

_PROJECT: Final = {
    **_honoured(
        dependencies="folders for the import path, and packages that must be installed",
        env="variables for graphs",
        python_version="compared with the Python that runs",
    ),
    "$schema": Key("image", "it is for editors"),
    "node_version": Key("image", "it matters for graphs in JavaScript, which are not served"),
    **_honoured(
        ui="the components of the project's front end, built with its own Node",
        ui_config="which packages its components share with the page",
    ),
    **_within("encryption", _honoured(path="encrypts what is stored")),
    "priority": Key(
        "ignored", "no code is asked which runs go first: runs that clients wait for go before others, then the oldest"
    ),
    **_within("graphs.*", _honoured(path="what is served", description="shown to clients")),
    **dict.fromkeys(
        (
            *("_INTERNAL_docker_tag", "api_version", "base_image", "building_tools", "dockerfile_lines"),
            *("image_distro", "keep_pkg_tools", "name", "package_manager", "pip_config_file", "pip_installer"),
            "source",
        ),
        _IMAGE,
    ),
}

_AUTH: Final = {
    **_honoured(
        path="says who makes a request, and what may be done",
        disable_studio_auth="requests of Studio are requests like others",
    ),
    **_within(
        "openapi",
        _honoured(
            securitySchemes="part of the served document",
            security="part of the served document",
            paths="part of the served document",
        ),
    ),
    **_within(
        "cache",
        _honoured(
            cache_keys="headers by which requests are known to be the same user's",
            ttl_seconds="how long the handler is not asked about them again",
            max_size="of how many users that is remembered",
        ),
    ),
}

_CHECKPOINTER: Final = {
    "path": Key(
        "refused",
        "checkpoints cannot be kept in a store of your own: a run's end and its last checkpoint are one transaction of"
        " the server's database, which is what makes runs survive a crash",
    ),
    "backend": Key(
        "refused",
        "checkpoints are kept in the server's own database, so nothing would be where that backend is looked at",
        harmless=(None, "", "default"),
    ),
    "mongo": Key(
        "ignored",
        "checkpoints are kept in the server's own database, a file or the Postgres of --database, and in no MongoDB",
    ),
    **_within(
        "serde",
        {
            "allowed_json_modules": Key(
                "honoured", "which classes are made again from checkpoints that LangGraph has written as JSON"
            ),
            "allowed_msgpack_modules": Key("honoured", "which classes states may hold beside what is always safe"),
            "pickle_fallback": Key("honoured", "whether states may hold what can only be pickled"),
        },
    ),
    **_within(
        "ttl",
        _honoured(
            strategy="whether threads go when their time is over, or only their histories",
            default_ttl="minutes that threads live which are made without a lifetime",
            sweep_interval_minutes="how often threads are looked for whose time is over",
            sweep_limit="how many threads go at one look",
        ),
    ),
}

_STORE: Final = {
    **_within(
        "ttl",
        _honoured(
            default_ttl="minutes that items live which are put without a lifetime",
            refresh_on_read="whether reading an item begins its time anew",
            sweep_interval_minutes="how often items are removed whose time is over",
            omit_expired="items whose time is over are never shown",
        ),
    ),
    **_within(
        "index",
        _honoured(
            embed="makes the vectors by which items are found",
            dims="numbers of each vector",
            fields="what of an item is found",
        ),
    ),
}

_HTTP: Final = {
    **_honoured(
        app="the project's own application, around the server's operations",
        mount_prefix="the path below which all is served",
        middleware_order="whether requests are authenticated before the application's middleware sees them",
        enable_custom_route_auth="whether the application's own routes ask who makes a request",
    ),
    **{
        f"disable_{group}": Key("honoured", "takes these operations away")
        for group in ("assistants", "threads", "runs", "store", "mcp", "a2a", "meta", "ui")
    },
    **_honoured(disable_webhooks="nothing is sent when runs have ended"),
    # Both spellings are documented.
    **_within(
        "configurable_headers",
        dict.fromkeys(
            ("includes", "include", "excludes", "exclude"), Key("honoured", "which headers runs find in their config")
        ),
    ),
    **_within(
        "logging_headers",
        dict.fromkeys(
            ("includes", "include", "excludes", "exclude"),
            Key("honoured", "which headers the log of requests has; secrets never"),
        ),
    ),
    **_within(
        "cors",
        dict.fromkeys(
            (
                *("allow_origins", "allow_origin_regex", "allow_methods", "allow_headers", "allow_credentials"),
                *("expose_headers", "max_age"),
            ),
            Key("honoured", "what web pages of other origins may do"),
        ),
    ),
}

_WEBHOOKS: Final = {
    **_honoured(
        headers="sent with every webhook",
        env_prefix="how variables begin that those headers may use",
    ),
    **_within(
        "url",
        dict.fromkeys(
            ("require_https", "disable_loopback", "allowed_domains", "allowed_ports", "max_url_length"),
            Key("honoured", "which URLs runs may name"),
        ),
    ),
}

KEYS: Final[Mapping[str, Key]] = {
    **_PROJECT,
    **_within("auth", _AUTH),
    **_within("checkpointer", _CHECKPOINTER),
    **_within("store", _STORE),
    **_within("http", _HTTP),
    **_within("webhooks", _WEBHOOKS),
}
"""By dotted path."""

_SECTIONS: Final = frozenset(path.rsplit(".", depth)[0] for path in KEYS for depth in range(1, path.count(".") + 1))


def used_keys(raw: Mapping[str, Any]) -> list[UsedKey]:
    """All keys of a configuration that ask for something."""
    return [*_used(raw, "", "")]


def refuse_keys(file: str, used: list[UsedKey]) -> None:
    """Raises `ConfigError` for the first that is refused."""
    for each in used:
        if each.key.treatment == "refused":
            raise ConfigError(f"{file}: {each.path}: {each.key.said}; remove the key to serve without it")


def warn_of_keys(file: str, used: list[UsedKey]) -> None:
    """Names those that are ignored, and why, in the log."""
    for each in used:
        if each.key.treatment in ("ignored", "unknown"):
            logger.warning("%s: %s is ignored: %s", file, each.path, each.key.said)


def is_known(path: str) -> bool:
    """Whether there is such a key or section; `path` may have `*`."""
    return path in _SECTIONS or any(path == row or path.startswith(f"{row}.") for row in KEYS)


def _used(raw: Mapping[str, Any], shown: str, row: str) -> Iterator[UsedKey]:
    for name, value in raw.items():
        path, at = f"{shown}{name}", f"{row}{name}"
        if at not in KEYS and at not in _SECTIONS:
            at = f"{row}*"
        if at in _SECTIONS:
            if isinstance(value, dict):
                yield from _used(value, f"{path}.", f"{at}.")
            continue  # anything else is a short form, or nothing, or a mistake that whoever reads it names
        key = KEYS.get(at, _UNKNOWN)
        asks = value not in key.harmless if key.treatment in ("ignored", "refused") else value is not None
        if asks:
            yield UsedKey(path, key)
