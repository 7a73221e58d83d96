"""Builds what a release publishes, from the latest commit, and looks at it: dist/ then holds

runyard-<version>-py3-none-any.whl and runyard-<version>.tar.gz
    for the package index; metadata checked, and the wheel installed and started in an environment of its own
runyard-<version>.cdx.json
    an SBOM (CycloneDX) of the wheel and all that was installed with it

It refuses a checkout with changes, and a version of which CHANGELOG.md says nothing. It publishes nothing.

With --interface it builds nothing: it prints the changelog's section on the interface and makes the present document
the one that later changes are compared with, openapi/released.json. That is the last change before a release.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from scripts.interface_tools import interface
from scripts.interface_tools.document import Document
from scripts.interface_tools.interface import PRESENT, RELEASED

from .readiness import baseline_may_move, baseline_objection, objections

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def step(text: str) -> None:
    print(f"== {text}", flush=True)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a command; what it says goes to the terminal only when it fails, which ends everything."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".rstrip()
        sys.exit(f"{said}\nscripts/release: failed with {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def make_environment(folder: Path, *requirements: str | Path) -> Path:
    """The `bin` of a new environment with nothing but `requirements` (and no pip of its own)."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *requirements)
    return python.parent


def export(folder: Path) -> Path:
    """The latest commit as files. A checkout may hold leavings of earlier builds, which setuptools would pack."""
    archive = folder / "sources.tar"
    run("git", "archive", "--output", archive, "HEAD")
    shutil.unpack_archive(archive, folder / "sources")
    return folder / "sources"


def build(tools: Path, sources: Path, built: Path) -> tuple[Path, Path]:
    """Wheel and sdist; the wheel is built from the sdist, which shows that nothing is missing there."""
    run(tools / "python", "-m", "build", "--outdir", built, sources)
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    run(tools / "python", "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def release_interface() -> int:
    """Prints what changed in the interface, unless it must not be released, and begins anew from here."""
    released, present = (Document.read(ROOT / path).version for path in (RELEASED, PRESENT))
    try:
        unseen = baseline_may_move(released, present, changelog=(ROOT / "CHANGELOG.md").read_text("utf-8"))
    except ValueError as error:
        sys.exit(f"scripts/release: {error}")
    if not unseen and interface.main([]):
        return 1
    interface.main(["--changelog"])
    changed = interface.begin_anew()
    print(f"scripts/release: {RELEASED} {'is now' if changed else 'was already'} the present document", file=sys.stderr)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tag", help="the tag that is published: it has to be v<version>, and CHANGELOG.md must not say (unreleased)"
    )
    parser.add_argument("--interface", action="store_true", help="make the present document that of the last release")
    arguments = parser.parse_args()
    if arguments.interface:
        return release_interface()

    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    changes = run("git", "status", "--porcelain")
    found = objections(version, changelog=changelog, changes=changes, tag=arguments.tag)
    if arguments.tag is not None:
        baseline = baseline_objection((ROOT / RELEASED).read_text("utf-8"), (ROOT / PRESENT).read_text("utf-8"))
        found += [baseline] if baseline else []
    if found:
        sys.exit("\n".join(f"scripts/release: {objection}" for objection in found))
    # The same commit gives the same wheel and the same SBOM, apart from new versions of dependencies.
    os.environ["SOURCE_DATE_EPOCH"] = run("git", "log", "-1", "--format=%ct").strip()

    with tempfile.TemporaryDirectory(prefix="runyard-release-") as temporary:
        folder = Path(temporary)
        step("tools")
        tools = make_environment(folder / "tools", "--requirement", REQUIREMENTS)
        step("wheel and sdist")
        sources = export(folder)
        wheel, sdist = build(tools, sources, folder / "built")
        step("installation")
        installed = make_environment(folder / "installed", wheel)
        said = run(installed / "runyard", "--version", cwd=folder).strip()
        if said != f"runyard {version}":
            sys.exit(f"scripts/release: the wheel is not version {version}: `runyard --version` says {said!r}")
        step("SBOM")
        sbom = folder / "built" / f"runyard-{version}.cdx.json"
        options = ("--output-reproducible", "--validate", "--output-format", "JSON", "--output-file", sbom)
        run(
            tools / "cyclonedx-py",
            "environment",
            "--pyproject",
            sources / "pyproject.toml",
            *options,
            installed / "python",
        )

        # Only now: what lies in dist/ has passed, and lies there alone.
        shutil.rmtree(DIST, ignore_errors=True)
        DIST.mkdir()
        for file in (wheel, sdist, sbom):
            shutil.copy(file, DIST)
            print(f"dist/{file.name}: {file.stat().st_size:,} bytes")
    if arguments.tag is None:
        print("scripts/release: a rehearsal: without --tag, nobody asked whether the changelog has a date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
