"""The `auth` of langgraph.json: whose code says who makes a request, and what may be done."""

from __future__ import annotations

from typing import Any, Final

from runyard.runtime.config.project import AuthCache, AuthSection
from runyard.runtime.config.reading import listed, mapping, positive, section, strings, switch, whole_number
from runyard.runtime.errors import ConfigError

MOST_SECONDS: Final = 366 * 24 * 60 * 60
MOST_KEPT: Final = 1_000_000


def read_auth(file: str, raw: dict[str, Any]) -> AuthSection | None:
    """`auth`; None when there is none. Raises ConfigError: what is meant to protect must not be passed over."""
    place = f"{file}: auth"
    auth = section(f"{file}: ", raw, "auth")
    if not auth:
        return None
    path = auth.get("path")
    target, _, name = path.rpartition(":") if isinstance(path, str) else ("", "", "")
    if not target or not name.isidentifier():
        raise ConfigError(
            f'{place}.path must be "./file.py:name" or "package.module:name"; remove auth to serve without it'
        )
    assert isinstance(path, str)
    return AuthSection(
        path=path,
        disable_studio_auth=switch(f"{place}.disable_studio_auth", auth.get("disable_studio_auth")),
        openapi=_openapi(f"{place}.openapi", section(f"{place}.", auth, "openapi")),
        cache=_cache(f"{place}.cache", section(f"{place}.", auth, "cache")),
    )


def _cache(place: str, given: dict[str, Any]) -> AuthCache | None:
    if not given:
        return None
    headers = strings(f"{place}.cache_keys", given.get("cache_keys"))
    if not headers or not all(header and header.isascii() for header in headers):
        raise ConfigError(f"{place}.cache_keys must name the headers by which the handler knows who asks")
    options: dict[str, Any] = {}
    if (seconds := given.get("ttl_seconds")) is not None:
        options["seconds"] = positive(f"{place}.ttl_seconds", seconds, most=MOST_SECONDS)
    if (most := given.get("max_size")) is not None:
        options["most"] = whole_number(f"{place}.max_size", most, least=1, most=MOST_KEPT)
    return AuthCache(headers=tuple(header.lower() for header in headers), **options)


def _openapi(place: str, given: dict[str, Any]) -> dict[str, Any]:
    """Security schemes and requirements, as in an OpenAPI document; a wrong one would spoil the whole of it."""
    for key in given.keys() - {"securitySchemes", "security", "paths"}:
        raise ConfigError(f"{place}.{key} is not known; known are securitySchemes, security, paths")
    schemes = section(f"{place}.", given, "securitySchemes")
    for name, scheme in schemes.items():
        at = f"{place}.securitySchemes.{name}"
        kind, needed = mapping(at, scheme).get("type"), ("apiKey", "http", "mutualTLS", "oauth2", "openIdConnect")
        if kind not in needed:
            raise ConfigError(f"{at}.type must be one of {listed(needed)}")
    requirements = [(f"{place}.security", given.get("security") or [])]
    for path, methods in section(f"{place}.", given, "paths").items():
        for method, required in mapping(f"{place}.paths.{path}", methods).items():
            requirements.append((f"{place}.paths.{path}.{method}", required))
    for at, required in requirements:
        if not isinstance(required, list):
            raise ConfigError(f"{at} must be a list of objects")
        for each in required:
            for name in mapping(at, each).keys() - schemes.keys():
                raise ConfigError(f"{at}: there is no {name!r} among the securitySchemes")
    return given
