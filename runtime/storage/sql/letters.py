"""Letters whatever their case, alike on every backend: what a database knows of case depends on its locale, or ends
with ASCII. A letter stands for one letter: `Ä` is `ä`, but `ß` is not `SS`.
"""

import re
from collections import defaultdict
from functools import lru_cache

_BEHIND_ALL = 0x20000
"""A code point behind all that have case."""


def folded(text: str) -> str:
    """The text as it is compared."""
    return text.lower() if text.isascii() else text.translate(_folds())


def whatever_the_case(text: str) -> str:
    """A regular expression, for an engine that looks at letters one by one, of the text in all cases."""
    return "".join(_one_of(letter) for letter in folded(text))


def _one_of(letter: str) -> str:
    others = _unfolds().get(letter)
    return re.escape(letter) if others is None else f"[{letter}{others}]"


@lru_cache(1)
def _folds() -> dict[int, str]:
    """The letter that stands for another, by the code point of that."""
    letters = map(chr, range(_BEHIND_ALL))
    return {ord(letter): stands for letter in letters if (stands := _for_one(letter)) != letter}


def _for_one(letter: str) -> str:
    return next((other for other in (letter.casefold(), letter.lower()) if len(other) == 1), letter)


@lru_cache(1)
def _unfolds() -> dict[str, str]:
    """The letters for which one stands."""
    others: defaultdict[str, str] = defaultdict(str)
    for point, letter in _folds().items():
        others[letter] += chr(point)
    return others
