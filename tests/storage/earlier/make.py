"""Makes a data directory of this checkout's revision, in which everything was killed in the middle of its work:

    .venv/bin/python -m tests.storage.earlier.make

writes <revision>.tar.gz and <revision>.json beside this file. The revision is that of HEAD; it may be given as an
argument when HEAD only adds to the tests.
"""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import orjson
from langgraph_sdk import get_client

from tests.live_server import LiveServer

from .expected import HERE, PROJECT, WORKERS, Expected, archive, nothing, settings
from .settled import Settled
from .unfinished import Unfinished


def main(revision: str) -> None:
    """Makes both files."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        server = LiveServer(data, config=PROJECT, args=WORKERS, env=settings(Path(directory) / "gate"))
        try:
            server.start()
            expected = asyncio.run(_play(server, nothing(revision)))
            server.kill_group()
        finally:
            server.close()
        _pack(data, archive(revision))
    (HERE / f"{revision}.json").write_bytes(orjson.dumps(expected, option=orjson.OPT_INDENT_2) + b"\n")


async def _play(server: LiveServer, expected: Expected) -> Expected:
    async with get_client(url=server.url, api_key=None) as client:
        await Settled(client, expected).make()
        await Unfinished(client, expected, server).make()
    return expected


def _pack(data: Path, target: Path) -> None:
    """The files only: the sockets of a server do not outlive it in an archive."""
    with gzip.GzipFile(target, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(data.rglob("*")):
            if path.is_file():
                tar.add(path, str(path.relative_to(data)), filter=_without_owner)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    head = ["git", "rev-parse", "--short=7", "HEAD"]
    main(sys.argv[1] if sys.argv[1:] else subprocess.check_output(head, cwd=HERE, text=True).strip())
