"""Front ends of the tests: built with the esbuild of package.json, served to browsers from an origin of their own."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="root"></div><script src="page.js">'


def build_page(node: Path, source: Path, target: Path) -> None:
    """Makes a page of the file `source` in the folder `target`."""
    esbuild = Path(__file__).parent / "node_modules" / "esbuild" / "bin" / "esbuild"
    target.mkdir(parents=True)
    options = ("--bundle", "--jsx=automatic", '--define:process.env.NODE_ENV="production"', "--log-level=warning")
    command: list[str | Path] = [node, esbuild, source, *options, f"--outfile={target / 'page.js'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    (target / "index.html").write_text(PAGE + "</script>")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address under which the files of the folder are served meanwhile."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
