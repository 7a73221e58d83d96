"""Every module lies under a contract of .importlinter, and no modules import each other in a circle."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("handlers", "runtime")


@pytest.fixture(scope="module")
def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Module -> modules of Runyard that it imports, be it for type checking only or inside a function."""
    packages = [f"runyard.{folder}" for folder in FOLDERS]
    graph = grimp.build_graph(*packages, cache_dir=None, exclude_type_checking_imports=False)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def modules_in(folder: str) -> set[str]:
    """What lies directly in a folder: its modules, and its folders with modules."""
    children = set()
    for path in (ROOT / folder).rglob("*.py"):
        child = path.relative_to(ROOT / folder).parts[0]
        children.add(child.removesuffix(".py"))
    return children - {"__init__"}


def layers_of(contracts: configparser.ConfigParser, container: str) -> Iterator[str]:
    for name in contracts.sections():
        section = contracts[name]
        if section.get("type") == "layers" and container in section.get("containers", "").split():
            yield from re.findall(r"\w+", section["layers"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_lies_under_a_layer(contracts: configparser.ConfigParser, folder: str) -> None:
    assert sorted(layers_of(contracts, f"runyard.{folder}")) == sorted(modules_in(folder))


def test_every_module_of_the_folders_is_seen(imports: dict[str, set[str]]) -> None:
    files = {path.relative_to(ROOT).with_suffix("") for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    assert imports.keys() == {f"runyard.{'.'.join(file.parts)}".removesuffix(".__init__") for file in files}


def test_no_modules_import_each_other_in_a_circle(imports: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)
