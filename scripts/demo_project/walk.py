"""Follows the requirements of installed distributions; what they declare is read once."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


@dataclass
class Walk:
    """What lies below one distribution, counting only requirements that apply to this machine."""

    direct: list[str] = field(default_factory=list)
    """Names that the distribution itself requires, extras aside."""
    below: set[str] = field(default_factory=set)
    """Everything required directly or indirectly."""
    chain: list[str] = field(default_factory=list)
    """The longest way down, starting with the distribution itself."""
    unmet: list[str] = field(default_factory=list)
    """Requirements that nothing installed satisfies, each with who has it."""
    cycles: list[str] = field(default_factory=list)
    """Ways that lead back to where they began."""


def walk(name: str) -> Walk:
    """Walks everything that the installed distribution `name` requires."""
    found = Walk()
    top = canonicalize_name(name)
    found.direct = sorted({required for required, _ in _requirements(top, frozenset(), found)})
    found.chain = _descend(top, frozenset(), (), {}, found)
    found.below.discard(top)
    return found


def _descend(
    name: str,
    extras: frozenset[str],
    above: tuple[str, ...],
    done: dict[tuple[str, frozenset[str]], list[str]],
    found: Walk,
) -> list[str]:
    """The longest chain from `name` down. Each (name, extras) is walked once."""
    if name in above:
        found.cycles.append(" -> ".join((*above[above.index(name) :], name)))
        return []
    known = done.get((name, extras))
    if known is not None:
        return known
    found.below.add(name)
    longest: list[str] = []
    for required, wanted in _requirements(name, extras, found):
        chain = _descend(required, wanted, (*above, name), done, found)
        if len(chain) > len(longest):
            longest = chain
    done[name, extras] = [name, *longest]
    return done[name, extras]


def _requirements(name: str, extras: frozenset[str], found: Walk) -> list[tuple[str, frozenset[str]]]:
    """What `name[extras]` requires here and has installed; what is missing is noted in `found`."""
    applicable: list[tuple[str, frozenset[str]]] = []
    for requirement in _declared(name):
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            continue
        required = canonicalize_name(requirement.name)
        version = _installed_version(required)
        if version is None:
            _note_unmet(found, f"{name} wants {requirement.name}{requirement.specifier}: not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            _note_unmet(found, f"{name} wants {required}{requirement.specifier}: {version} is installed")
        applicable.append((required, frozenset(requirement.extras)))
    return applicable


def _note_unmet(found: Walk, text: str) -> None:
    if text not in found.unmet:
        found.unmet.append(text)


@cache
def _declared(name: str) -> list[Requirement]:
    requirements = []
    for text in distribution(name).requires or []:
        with suppress(InvalidRequirement):
            requirements.append(Requirement(text))
    return requirements


@cache
def _installed_version(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None
