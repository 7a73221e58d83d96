"""Where the tests that make up requests start from."""

from __future__ import annotations

import os
import secrets

import pytest

SEED_VARIABLE = "RUNYARD_FUZZ_SEED"
FIXED_SEED = 20_260_101
_CHOSEN = pytest.StashKey[int]()


def fuzz_seed_of(config: pytest.Config) -> int:
    """The seed of a test run: what the environment asks for; else a new one with `--full`, where new ground is wanted.

    Otherwise it is fixed, and in CI always, so that a change is not blamed for what another seed would have found
    before it.
    """
    if _CHOSEN not in config.stash:
        asked = os.environ.get(SEED_VARIABLE)
        in_ci = os.environ.get("CI", "").lower() == "true"
        if asked is not None:
            config.stash[_CHOSEN] = int(asked)
        elif config.getoption("--full") and not in_ci:
            config.stash[_CHOSEN] = secrets.randbelow(2**32)
        else:
            config.stash[_CHOSEN] = FIXED_SEED
    return config.stash[_CHOSEN]
