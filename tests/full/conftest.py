"""`wheel`: what users install."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .environments import run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="session")
def wheel(pyproject: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runyard's wheel, built from a copy: setuptools would pick up what earlier builds left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", pyproject["project"]["readme"], *pyproject["project"]["license-files"]):
        shutil.copy(ROOT / name, sources / name)
    for name in pyproject["tool"]["setuptools"]["package-dir"].values():
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, sources, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built
