"""The demo: serves two graphs, submits a batch with the command-line client, tells what it found.

Started by `scripts/demo`, with the interpreter of .venv.
"""

import argparse
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
from report import Report
from rich.console import Console
from rich.markup import escape

HERE = Path(__file__).resolve().parent
RUNYARD = str(Path(sys.executable).parent / "runyard")
API_KEY = "RUNYARD_API_KEY"
WAKE_TIMEOUT = 60
"""Seconds that the server gets to start, and to stop."""


def main() -> int:
    """Runs the demo; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Shows Runyard at work, on data of this machine.")
    parser.add_argument("--keep", action="store_true", help="leave it serving, and say what to try next")
    parser.add_argument(
        "--api-key", metavar="KEY", help="ask callers for this key  [default: RUNYARD_API_KEY, or none]"
    )
    arguments = parser.parse_args()
    use_key(arguments.api_key)
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="runyard-demo-"))
    try:
        return tell(console, directory, keep=arguments.keep)
    except KeyboardInterrupt:
        console.print("\nInterrupted; the server is stopped.")
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def use_key(given: str | None) -> None:
    """Has the server of the demo ask for the key, and everything else send it; keys of other servers do not count."""
    for name in ("RUNYARD_API_KEYS", "RUNYARD_API_KEYS_FILE"):
        os.environ.pop(name, None)
    if key := given or os.environ.get(API_KEY):
        os.environ |= {API_KEY: key, "RUNYARD_API_KEYS": key}


def tell(console: Console, directory: Path, *, keep: bool) -> int:
    """The story, from start to end."""
    step(console, 1, "A server with an empty database, on a free port")
    with server(console, directory / "data") as url:
        names = sorted({found.metadata["Name"] for found in distributions()}, key=str.lower)
        step(console, 2, f"A batch: one run for each of the {len(names)} Python distributions installed here")
        batch = directory / "batch.jsonl"
        batch.write_text("".join(json.dumps({"name": name}) + "\n" for name in names))
        results = directory / "results.jsonl"
        command = ["batch", "submit", str(batch), "--assistant", "dists", "--output", str(results)]
        show_command(console, command)
        code = subprocess.run([RUNYARD, *command, "--url", url], check=False).returncode
        if not results.exists():
            return code
        for again in (command, ["batch", "list"]):
            # The first finds that all is there: the file names the batch, and its results.
            show_command(console, again)
            subprocess.run([RUNYARD, *again, "--url", url], check=False)

        step(console, 3, "What the runs found")
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        Report([line["values"] for line in lines if line["status"] == "success"]).show(console)

        step(console, 4, "A stream: the second graph talks, through a scripted chat model")
        narrate(console, url)
        if keep:
            serve_on(console, url)
    console.print("\nStopped cleanly.")
    return code


@contextmanager
def server(console: Console, data: Path) -> Iterator[str]:
    """Serves the demo's graphs; gives the address, and stops the server at the end."""
    command = ["serve", "--port", "0", "--config", str(HERE / "langgraph.json"), "--data", str(data)]
    show_command(console, command)
    process = subprocess.Popen(
        # Its own session: Ctrl-C reaches the demo, and the demo stops the server.
        [RUNYARD, *command],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        line = first_line(process)
        address = re.search(r"http://\S+", line)
        if address is None:
            raise SystemExit("scripts/demo: the server did not start; see above")
        console.print(f"  {escape(line.strip())}", soft_wrap=True)
        yield address[0]
    finally:
        process.terminate()
        try:
            process.wait(WAKE_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def first_line(process: subprocess.Popen[str]) -> str:
    """What the server says when it is ready; empty when it ends or says nothing in time."""
    if process.stdout is None:
        return ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(WAKE_TIMEOUT) else ""


def narrate(console: Console, url: str) -> None:
    """Prints tokens as they arrive."""
    question = "What is installed here?"
    body = {
        "assistant_id": "narrator",
        "input": {"messages": [{"role": "user", "content": question}]},
        "stream_mode": "messages-tuple",
    }
    console.print(f"  [dim]POST /runs/stream[/] {question}")
    arrivals: list[float] = []
    column = console.width
    started = time.monotonic()
    key = os.environ.get(API_KEY)
    headers = {} if key is None else {"x-api-key": key}
    with httpx.stream("POST", f"{url}/runs/stream", json=body, headers=headers, timeout=60, trust_env=False) as answer:
        answer.raise_for_status()
        event = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "messages":
                chunk, _ = json.loads(line.removeprefix("data: "))
                if chunk["type"] == "AIMessageChunk" and chunk["content"]:
                    arrivals.append(time.monotonic())
                    token = chunk["content"]
                    if column + len(token) >= console.width:
                        token, column = f"\n  {token.lstrip()}", 0
                    column += len(token)
                    console.print(token, end="", markup=False, soft_wrap=True)
            elif line.startswith("data: ") and event == "error":
                console.print(line, style="red")
    if arrivals:
        console.print(
            f"\n\n  {len(arrivals)} tokens, the first after {(arrivals[0] - started) * 1000:.0f} ms "
            "(the graph reads all metadata before it speaks)."
        )


def serve_on(console: Console, url: str) -> None:
    """Says what to try, and waits for Ctrl-C."""
    step(console, 5, f"It goes on serving at {url}")
    console.print(
        f"""\
  Documentation of every operation: {url}/docs

  Ask the narrator, and watch the tokens come:
    curl -N {url}/runs/stream -H 'content-type: application/json' -d \\
      '{{"assistant_id": "narrator", "stream_mode": "messages-tuple",
        "input": {{"messages": [{{"role": "user", "content": "tell me about httpx"}}]}}}}'

  Wait for one run:
    curl {url}/runs/wait -H 'content-type: application/json' -d \\
      '{{"assistant_id": "dists", "input": {{"name": "langgraph"}}}}'

  The same from Python, with the stock client (pip install langgraph-sdk):
    from langgraph_sdk import get_sync_client
    client = get_sync_client(url="{url}")
    print(client.runs.wait(None, "dists", input={{"name": "langgraph"}})["verdict"])

  A batch from the shell:
    echo '{{"name": "rich"}}' | {RUNYARD} batch submit - --assistant dists --output rich.jsonl --url {url}

  Ctrl-C stops it.""",
        markup=False,
        soft_wrap=True,
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


def step(console: Console, number: int, text: str) -> None:
    """A heading."""
    console.print(f"\n[bold cyan]{number}. {escape(text)}[/]")


def show_command(console: Console, arguments: list[str]) -> None:
    """What could be typed instead."""
    console.print(f"  [dim]$ runyard {escape(' '.join(arguments))}[/]", soft_wrap=True)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
