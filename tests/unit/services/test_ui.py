"""Components are built beside the server's work, with whatever Node there is; here a small program stands for it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import NotFound, Unavailable
from runyard.runtime.services.ui import Ui
from runyard.runtime.ui import bundler
from runyard.runtime.ui.builds import Build
from tests.live_server import poll

NODE = """#!/bin/sh
# node SCRIPT build --output FOLDER: as the bundler, which reads the names from LANGGRAPH_UI
echo built >> "$PWD/builds"
[ -e "$PWD/fails" ] && { printf 'x [ERROR] No such module\\n\\n    src/ui.tsx:3:7:\\n' >&2; exit 1; }
[ -e "$PWD/hangs" ] && exec sleep 60
name=$(printf %s "$LANGGRAPH_UI" | cut -d'"' -f2)
mkdir -p "$4/public/$name"
{ cat "$PWD/src/ui.tsx"; printf ' // %s' "$LANGGRAPH_UI_CONFIG"; } > "$4/public/$name/entrypoint.js"
"""
NPM = """#!/bin/sh
# npm install --prefix FOLDER ...
[ -e "$OFFLINE" ] && { echo "npm error network" >&2; exit 1; }
mkdir -p "$3/node_modules/@langchain/langgraph-ui"
echo '{"bin": {"langgraphjs-ui": "cli.mjs"}}' > "$3/node_modules/@langchain/langgraph-ui/package.json"
"""
CONFIG = '{"graphs": {"agent": "./g.py:graph"}, "ui": {"agent": "./src/ui.tsx"}, "ui_config": {"shared": ["lib"]}}'


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of programs that the server finds; those of the system are there too."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in (("node", NODE), ("npm", NPM)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("OFFLINE", str(tmp_path / "offline"))
    return folder


@pytest.fixture
def project(tmp_path: Path, programs: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "ui.tsx").write_text("first")
    (folder / "langgraph.json").write_text(CONFIG)
    return folder


@asynccontextmanager
async def serving(project: Path, *, reload: bool = False) -> AsyncIterator[Ui]:
    settings = Settings(
        project=load_project(project), data_dir=project / "data", reload=reload, workers=1 if reload else 0
    )
    ui = Ui(settings, Loops())
    await ui.start()
    try:
        yield ui
    finally:
        await ui.stop()


async def script(ui: Ui, name: str = "agent") -> str:
    build = await ui.build(name)
    return ui.file(name, build.digest, "entrypoint.js").decode()


async def until(look: Callable[[], bool]) -> None:
    await asyncio.to_thread(poll, look)


def has(ui: Ui, build: Build) -> bool:
    try:
        return bool(ui.file("agent", build.digest, "entrypoint.js"))
    except NotFound:
        return False


def builds(project: Path) -> int:
    return (project / "builds").read_text().count("built")


async def test_components_are_built_with_the_bundler_that_npm_gets(project: Path) -> None:
    async with serving(project) as ui:
        assert await script(ui) == 'first // {"shared":["lib"]}'
    assert {file.name for file in (project / "data" / "ui").iterdir()} == {"builds", f"bundler-{bundler.VERSION}"}


async def test_the_bundler_of_the_project_goes_first(project: Path, programs: Path) -> None:
    (programs / "npm").write_text("#!/bin/sh\nexit 1\n")
    package = project / "node_modules" / "@langchain" / "langgraph-ui"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"bin": {"langgraphjs-ui": "cli.mjs"}}')
    async with serving(project) as ui:
        assert (await script(ui)).startswith("first")


async def test_the_next_start_has_them_at_once_and_builds_them_again(project: Path) -> None:
    async with serving(project) as ui:
        before = await ui.build("agent")
    (project / "hangs").touch()
    async with serving(project) as ui:
        assert await ui.build("agent") == before
        await until(lambda: builds(project) == 2)


async def test_what_was_built_of_something_else_is_not_served(project: Path) -> None:
    async with serving(project) as ui:
        await ui.build("agent")
    (project / "src" / "ui.tsx").write_text("second")
    (project / "fails").touch()
    async with serving(project) as ui:
        with pytest.raises(Unavailable, match=r"could not be built: src/ui\.tsx:3:7: No such module"):
            await ui.build("agent")


async def test_what_was_damaged_on_disk_is_built_again(project: Path) -> None:
    async with serving(project) as ui:
        await ui.build("agent")
    (kept,) = (project / "data" / "ui" / "builds").glob("*/entrypoint.js")
    kept.write_text("damaged")
    async with serving(project) as ui:
        assert (await script(ui)).startswith("first")


@pytest.mark.parametrize(
    ("missing", "message"),
    [("node", "node is not on the PATH; install Node"), ("npm", "npm is not on the PATH")],
)
async def test_without_a_program_the_log_says_what_to_install(
    project: Path,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    missing: str,
    message: str,
) -> None:
    (programs / missing).unlink()
    monkeypatch.setenv("PATH", str(programs))
    async with serving(project) as ui:
        with pytest.raises(Unavailable, match=message):
            await ui.build("agent")
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert message in record.getMessage()


async def test_without_a_registry_the_remedy_is_named(project: Path, tmp_path: Path) -> None:
    (tmp_path / "offline").touch()
    async with serving(project) as ui:
        with pytest.raises(Unavailable, match=r"network.*npm install --save-dev @langchain/langgraph-ui"):
            await ui.build("agent")


async def test_a_build_is_bounded_in_time(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundler, "BUILD_SECONDS", 0.2)
    (project / "hangs").touch()
    async with serving(project) as ui:
        with pytest.raises(Unavailable, match=r"node has not ended after 0\.2 s"):
            await ui.build("agent")


async def test_a_build_is_bounded_in_size(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundler, "LARGEST", 3)
    async with serving(project) as ui:
        with pytest.raises(Unavailable, match="more than"):
            await ui.build("agent")


async def test_one_that_cannot_be_built_does_not_keep_others_from_it(project: Path) -> None:
    config = CONFIG.replace('"ui": {', '"ui": {"lost": "./src/lost.tsx", ')
    (project / "langgraph.json").write_text(config)
    async with serving(project) as ui:
        assert (await script(ui)).startswith("first")
        with pytest.raises(Unavailable, match=r"src/lost.tsx is not there"):
            await ui.build("lost")
        with pytest.raises(NotFound, match="there are lost, agent"):
            await ui.build("other")


async def test_changes_are_built_with_reload(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.runtime.services.ui.INTERVAL", 0.02)
    async with serving(project, reload=True) as ui:
        before = await ui.build("agent")
        (project / "src" / "ui.tsx").write_text("second")
        await until(lambda: not has(ui, before))
        assert (await script(ui)).startswith("second")
        (project / "fails").touch()
        (project / "src" / "ui.tsx").write_text("third!")
        await until(lambda: builds(project) == 3)
        assert (await script(ui)).startswith("second")
        (project / "langgraph.json").write_text(CONFIG.replace('"ui": {', '"ui": {"more": "./src/ui.tsx", '))
        (project / "fails").unlink()
        ui.serve(load_project(project))
        assert (await script(ui, "more")).startswith("third")
