"""Which licence a distribution is under, judged from its metadata or, failing that, from its licence file."""

import re
from email.message import Message

# Words of SPDX names, classifiers and free text -> (short name, kind). The first match wins, so the
# narrower patterns stand first: "LGPL" before "GPL", "BSD 3" before "BSD".
_NAMES: list[tuple[str, str, str]] = [
    (r"\bagpl|affero", "AGPL", "strong copyleft"),
    (r"\blgpl|lesser general public", "LGPL", "weak copyleft"),
    (r"\bgpl|general public licen[cs]e", "GPL", "strong copyleft"),
    (r"\bmpl|mozilla public", "MPL-2.0", "weak copyleft"),
    (r"\bepl|eclipse public", "EPL", "weak copyleft"),
    (r"apache", "Apache-2.0", "permissive"),
    (r"bsd.?3|3.clause|new bsd|modified bsd", "BSD-3-Clause", "permissive"),
    (r"bsd.?2|2.clause|simplified bsd", "BSD-2-Clause", "permissive"),
    (r"\b0bsd", "0BSD", "permissive"),
    (r"bsd", "BSD", "permissive"),
    (r"\bmit\b|expat", "MIT", "permissive"),
    (r"\bisc\b|iscl", "ISC", "permissive"),
    (r"\bpsf|python software foundation|cnri-python", "PSF-2.0", "permissive"),
    (r"\bzpl|zope public", "ZPL", "permissive"),
    (r"unlicense|public domain|\bcc0", "public domain", "permissive"),
    (r"proprietary|commercial|all rights reserved", "proprietary", "proprietary"),
]

# Sentences that only one licence text has.
_TEXTS: list[tuple[str, str, str]] = [
    (r"gnu affero general public license", "AGPL", "strong copyleft"),
    (r"gnu lesser general public license", "LGPL", "weak copyleft"),
    (r"gnu general public license", "GPL", "strong copyleft"),
    (r"mozilla public license,? version 2", "MPL-2.0", "weak copyleft"),
    (r"apache license,? version 2\.0", "Apache-2.0", "permissive"),
    (r"permission is hereby granted, free of charge", "MIT", "permissive"),
    (r"redistribution and use in source and binary forms.*neither the name", "BSD-3-Clause", "permissive"),
    (r"redistribution and use in source and binary forms", "BSD-2-Clause", "permissive"),
    (r"permission to use, copy, modify, and(/or)? distribute", "ISC", "permissive"),
    (r"python software foundation license", "PSF-2.0", "permissive"),
    (r"free and unencumbered software", "public domain", "permissive"),
]


def from_metadata(metadata: Message) -> tuple[str, str, str] | None:
    """(short name, kind, where it is said), or None if the metadata does not say it.

    A bare "BSD", as the classifier has it, leaves open which of several licences is meant.
    """
    expression = metadata.get("License-Expression")
    if expression:
        return _from_expression(expression)
    for classifier in metadata.get_all("Classifier") or []:
        if classifier.startswith("License ::") and (found := _match(_NAMES, classifier)):
            return (*found, "classifier")
    field = (metadata.get("License") or "").strip()
    if "\n" in field:  # some put the whole text there
        found = from_text(field)
        return (*found, "licence field") if found else None
    found = _match(_NAMES, field)
    return (*found, "licence field") if found else None


def from_text(text: str) -> tuple[str, str] | None:
    """(short name, kind) of a licence's full text."""
    return _match(_TEXTS, re.sub(r"\s+", " ", text))


def _from_expression(expression: str) -> tuple[str, str, str] | None:
    """SPDX: `A AND B` binds the user to both, of `A OR B` the more liberal one may be chosen."""
    order = ["permissive", "weak copyleft", "strong copyleft", "proprietary"]
    strictest = -1
    for part in re.split(r"\s+AND\s+", expression):
        kinds = [found[1] for choice in re.split(r"\s+OR\s+", part) if (found := _match(_NAMES, choice))]
        if not kinds:
            return None
        strictest = max(strictest, min(map(order.index, kinds)))
    return expression, order[strictest], "SPDX expression"


def _match(patterns: list[tuple[str, str, str]], text: str) -> tuple[str, str] | None:
    for pattern, name, kind in patterns:
        if re.search(pattern, text, re.IGNORECASE):
            return name, kind
    return None
