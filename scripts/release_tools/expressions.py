"""SPDX licence expressions, held against a set of licences."""

from __future__ import annotations

import re
from collections.abc import Collection

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression


def canonical(text: str) -> str | None:
    """The expression in its canonical spelling; None when it is none."""
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return None


def permits(expression: str, allowed: Collection[str]) -> bool:
    """Whether a canonical expression can be satisfied with `allowed` licences alone.

    "A WITH B" is a licence of its own, which has to be allowed as such.
    """
    tokens = re.findall(r"[()]|[^\s()]+(?: WITH [^\s()]+)?", expression)
    return _alternatives(tokens, allowed)


def _alternatives(tokens: list[str], allowed: Collection[str]) -> bool:
    found = _conjunction(tokens, allowed)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        found |= _conjunction(tokens, allowed)
    return found


def _conjunction(tokens: list[str], allowed: Collection[str]) -> bool:
    found = _licence(tokens, allowed)
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        found &= _licence(tokens, allowed)
    return found


def _licence(tokens: list[str], allowed: Collection[str]) -> bool:
    token = tokens.pop(0)
    if token != "(":
        return token in allowed
    found = _alternatives(tokens, allowed)
    tokens.pop(0)
    return found
