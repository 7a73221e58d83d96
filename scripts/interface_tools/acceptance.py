"""Which differences from the last release may be: breaks that were accepted, and removals that were announced.

A line of `openapi/accepted-breaks.txt` is the key of a break, ` => `, and the beginning of the changelog's entry that
tells users of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .changes import Finding

SEPARATOR = " => "


@dataclass(frozen=True)
class Acceptance:
    """One accepted break, and the changelog's words for it."""

    line: int
    key: str
    entry: str


def read_acceptances(text: str) -> list[Acceptance]:
    """The lines of the file, without empty ones and comments."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            key, _, entry = line.partition(SEPARATOR)
            found.append(Acceptance(number, key.strip(), " ".join(entry.split())))
    return found


def entries_of(changelog: str, version: str) -> list[str]:
    """The entries of a version's section in the changelog, each as one line."""
    section = re.search(
        rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?$(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    if section is None:
        return []
    return [" ".join(entry.split()) for entry in re.split(r"^- |^#.*$", section[1], flags=re.MULTILINE)[1:]]


def objections(
    findings: Sequence[Finding], acceptances: Sequence[Acceptance], entries: Sequence[str], released: str, present: str
) -> list[str]:
    """Everything that stands against the differences, in words: none when they may be released.

    `entries` are the changelog's entries for the version `present`; `released` is the version before.
    """
    found = []
    breaks = {finding.key: finding for finding in findings if finding.breaks}
    accepted = {acceptance.key for acceptance in acceptances}
    for finding in breaks.values():
        if finding.unannounced:
            found.append(
                f"{finding.key}\n    it was not deprecated in {released}: say `deprecated: true` now, and remove it a "
                "minor version later"
            )
        elif finding.removes and _minor(present) <= _minor(released):
            found.append(f"{finding.key}\n    it was deprecated in {released}, and goes with the next minor version")
        elif finding.key not in accepted:
            found.append(
                f"{finding}\n    breaks clients; undo it, or accept it: {finding.key}{SEPARATOR}<changelog entry>"
            )
    for acceptance in acceptances:
        place = f"openapi/accepted-breaks.txt:{acceptance.line}"
        if acceptance.key not in breaks:
            found.append(f"{place}: stale, there is no such break: {acceptance.key}")
        elif not acceptance.entry:
            found.append(f"{place}: names no entry of the changelog: <key>{SEPARATOR}<the entry's words>")
        elif not any(entry.startswith(acceptance.entry) for entry in entries):
            found.append(f"{place}: CHANGELOG.md has no entry for {present} that begins with: {acceptance.entry}")
    return found


def _minor(version: str) -> tuple[int, ...]:
    """Major and minor version as numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
