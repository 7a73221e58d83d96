"""What is installed is what the checkout has: a package that pyproject.toml forgets works here and is missing there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("generated", "handlers", "runtime")
NOT_SHIPPED = {".pyc"}

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[2:]:
    module = importlib.import_module(name)
    assert module.__file__ is None or module.__file__.startswith(sys.argv[1]), f"{name} is {module.__file__}"
print(len(sys.argv) - 2)
"""


def files_of(root: Path) -> Iterator[Path]:
    """The files of the three folders, relative to `root`."""
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.is_file() and path.suffix not in NOT_SHIPPED:
                yield path.relative_to(root)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built from a copy: setuptools leaves a folder behind that could feed the next build."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        target,
        source,
    ]
    subprocess.run(command, check=True, timeout=240)
    return next(target.glob("*.whl"))


def test_every_folder_with_modules_is_a_listed_package() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in files_of(ROOT) if path.suffix == ".py"}
    assert sorted(config["packages"]) == sorted(f"runyard.{'.'.join(folder.parts)}" for folder in folders)
    assert config["package-dir"] == {f"runyard.{name}": name for name in FOLDERS}


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name.removeprefix("runyard/") for name in archive.namelist() if name.startswith("runyard/")}
    assert shipped == {path.as_posix() for path in files_of(ROOT)}


def test_every_module_of_an_installed_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True, timeout=240)
    python = tmp_path / "bin" / "python"
    install: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    install += ["--no-index", wheel]
    subprocess.run(install, check=True, timeout=240)
    (site,) = tmp_path.glob("lib/python*/site-packages")
    # The dependencies of this environment, but not the checkout that it has installed: .pth files there are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    modules = [path.with_suffix("") for path in files_of(ROOT) if path.suffix == ".py"]
    names = ["runyard." + ".".join(module.parts).removesuffix(".__init__") for module in modules]
    done = subprocess.run(
        [python, "-c", IMPORT_ALL, str(site), *names],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(names)
