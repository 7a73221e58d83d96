"""The `checkpointer` of langgraph.json: how long threads live that nobody gave a lifetime, and what states may hold."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from runyard.runtime.config.project import SerdeSection, ThreadTtl
from runyard.runtime.config.reading import positive, section, strings, switch, whole_number
from runyard.runtime.errors import ConfigError

Strategy = Literal["delete", "keep_latest"]

_MOST_MINUTES: Final = 100 * 366 * 24 * 60


def read_thread_ttl(file: str, raw: dict[str, Any]) -> ThreadTtl:
    """`checkpointer.ttl`. Raises `ConfigError`."""
    place = f"{file}: checkpointer"
    ttl = section(f"{place}.", section(f"{file}: ", raw, "checkpointer"), "ttl")
    options: dict[str, Any] = {}
    for key, value in ttl.items():
        at = f"{place}.ttl.{key}"
        match key:
            case "strategy":
                if value not in get_args(Strategy):
                    raise ConfigError(f'{at} must be "delete" or "keep_latest"')
                options["strategy"] = value
            case "default_ttl" if value is not None:
                options["minutes"] = positive(at, value, most=_MOST_MINUTES)
            case "sweep_interval_minutes" if value is not None:
                options["sweep_seconds"] = 60 * positive(at, value, most=_MOST_MINUTES)
            case "sweep_limit" if value is not None:
                options["sweep_limit"] = whole_number(at, value, least=1, most=10**9)
            case _:
                pass  # null is as good as absent
    return ThreadTtl(**options)


def read_serde(file: str, raw: dict[str, Any]) -> SerdeSection:
    """`checkpointer.serde`. Where `allowed_msgpack_modules` is null, it is a list without entries, as for LangGraph.
    Raises `ConfigError`."""
    place = f"{file}: checkpointer"
    serde = section(f"{place}.", section(f"{file}: ", raw, "checkpointer"), "serde")
    given, at = serde.get("allowed_msgpack_modules", True), f"{place}.serde.allowed_msgpack_modules"
    classes = None if given is True else _classes(at, given)
    given, at = serde.get("allowed_json_modules"), f"{place}.serde.allowed_json_modules"
    read_from_json = () if isinstance(given, bool) else _classes(at, given)
    return SerdeSection(
        classes=classes,
        json_classes=given is True or tuple((*module.split("."), name) for module, name in read_from_json),
        pickles=switch(f"{place}.serde.pickle_fallback", serde.get("pickle_fallback")),
    )


def _classes(at: str, given: Any) -> tuple[tuple[str, str], ...]:
    """Module and name of each."""
    if given is not None and not isinstance(given, list):
        raise ConfigError(f'{at} must be true, null, or a list such as [["agent.models", "State"]]')
    classes = []
    for item in given or ():
        parts = strings(at, item)
        if len(parts) < 2 or not all(parts):
            raise ConfigError(
                f'{at}: each class must be a list of its module and its name, as ["agent.models", "State"]'
            )
        classes.append((".".join(parts[:-1]), parts[-1]))
    return tuple(classes)
