"""The `webhooks` of langgraph.json: which targets are called, and the headers that they get."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.config.reading import kind, section, strings, switch, whole_number
from runyard.runtime.errors import ConfigError

DEFAULT_PREFIX: Final = "LG_WEBHOOK_"
"""How the names of variables begin that headers may use, where `env_prefix` says nothing else."""

_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = frozenset(("connection", "content-length", "host", "transfer-encoding"))
_DOMAIN = re.compile(r"(\*\.)?[^\s*/:@?#]+|\[?[0-9A-Fa-f:.]+\]?")
_LONGEST_URL = 65_536


def read_webhooks(file: str, raw: dict[str, Any], environment: Mapping[str, str], *, enabled: bool) -> WebhookPolicy:
    """The policy for webhooks. `raw` is the whole file, `environment` what templates of headers may use.

    Raises `ConfigError`; none of them shows a header's value.
    """
    place = f"{file}: webhooks"
    webhooks = section(f"{file}: ", raw, "webhooks")
    prefix = webhooks.get("env_prefix", DEFAULT_PREFIX)
    if not isinstance(prefix, str):
        raise ConfigError(f"{place}.env_prefix must be a string, not {kind(prefix)}")
    headers = section(f"{place}.", webhooks, "headers")
    return WebhookPolicy(
        **_url(f"{place}.url", section(f"{place}.", webhooks, "url")),
        headers=tuple(
            _header(f"{place}.headers.{name}", name, value, prefix, environment) for name, value in headers.items()
        ),
        enabled=enabled,
    )


def _url(place: str, url: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in url.items():
        at = f"{place}.{key}"
        match key:
            case "require_https" | "disable_loopback":
                if not isinstance(value, bool):  # null must not open what is closed by default
                    raise ConfigError(f"{at} must be true or false, not {kind(value)}")
                options[key] = switch(at, value)
            case "allowed_domains":
                options[key] = tuple(_domain(at, domain) for domain in strings(at, value))
            case "allowed_ports":
                ports = [] if value is None else value
                if not isinstance(ports, list):
                    raise ConfigError(f"{at} must be a list of whole numbers, not {kind(value)}")
                options[key] = tuple(whole_number(at, port, least=1, most=65_535) for port in ports)
            case "max_url_length":
                if value is not None:
                    options[key] = whole_number(at, value, least=1, most=_LONGEST_URL)
            case _:
                raise ConfigError(f"{at} is not known; remove it to serve without it")
    return options


def _domain(place: str, domain: str) -> str:
    """As hosts of URLs are compared: in lower case, international names in their ASCII form."""
    if not _DOMAIN.fullmatch(domain):
        raise ConfigError(f'{place}: "{domain}" must be a host such as "hooks.example.com" or "*.example.com"')
    name = domain.lower().strip("[]").rstrip(".")
    if name.isascii():
        return name
    wildcard, name = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    try:
        return wildcard + name.encode("idna").decode()
    except UnicodeError:
        raise ConfigError(f'{place}: "{domain}" is not the name of a host') from None


def _header(place: str, name: str, value: Any, prefix: str, environment: Mapping[str, str]) -> tuple[str, str]:
    if not _TOKEN.fullmatch(name):
        raise ConfigError(f"{place}: this is not the name of a header; use letters, digits and hyphens")
    if name.lower() in _FRAMING:
        raise ConfigError(f"{place}: this header belongs to the connection and cannot be set; remove it")
    if not isinstance(value, str):
        raise ConfigError(f"{place} must be a string, not {kind(value)}")

    def fill(template: re.Match[str]) -> str:
        variable = _VARIABLE.fullmatch(template[1])
        if variable is None:
            raise ConfigError(f"{place}: a template must be ${{{{ env.NAME }}}}")
        found = variable[1]
        if not found.startswith(prefix):
            raise ConfigError(
                f"{place}: {found} does not begin with {prefix}; rename the variable or set webhooks.env_prefix"
            )
        if not environment.get(found):
            raise ConfigError(f"{place}: the variable {found} is not set; set it, or remove the header")
        return environment[found]

    text = _TEMPLATE.sub(fill, value).strip(" \t")
    if not _VALUE.fullmatch(text):
        raise ConfigError(f"{place}: its value has characters that no header can hold, such as line breaks")
    return name, text
