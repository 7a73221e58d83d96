"""Records the examples of answers in openapi/examples; `scripts/generate` then puts them into the document.

scripts/examples            write the files that have changed
scripts/examples --check    write nothing; exit 1 when a recording differs from what is there
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import httpx

from scripts.example_recorder.walk import Examples, Walk
from tests.live_server import LiveServer

FOLDER = Path(__file__).resolve().parents[2] / "openapi" / "examples"


def differing(examples: Examples) -> dict[Path, str]:
    """The files that are not what was recorded, with what they should be; those to be deleted are empty."""
    wanted = {
        FOLDER / f"{name}.json": json.dumps(example, indent=2, ensure_ascii=False) + "\n"
        for name, example in examples.items()
    }
    found = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*/*.json")}
    return {path: wanted.get(path, "") for path in {*wanted, *found} if wanted.get(path) != found.get(path)}


def main() -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="scripts/examples", description=__doc__, formatter_class=formatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = LiveServer(Path(folder) / "data", args=("--workers", "1"))
        try:
            with httpx.Client(base_url=server.start().url, timeout=60) as http:
                changes = differing(Walk(http).record())
        finally:
            server.close()
    for path, text in sorted(changes.items()):
        name = path.relative_to(FOLDER.parent.parent)
        if arguments.check:
            print(f"scripts/examples: {name} is not what a server answers; run scripts/examples", file=sys.stderr)
        elif text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
        else:
            path.unlink()
            print(f"deleted {name}")
    return 1 if arguments.check and changes else 0


if __name__ == "__main__":
    sys.exit(main())
