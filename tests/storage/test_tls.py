"""Connections to Postgres that are encrypted, as the connection string asks, and refused where they cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.postgres.database.reaching import reach
from runyard.runtime.storage.postgres.database.target import Target

from .postgres_proxy import postgres_proxy
from .postgres_server import address

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate for localhost that signs itself, and its key beside it."""
    certificate, subject = folder / name, ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{certificate}.key"]
    command = ["openssl", "req", "-x509", "-days", "1", *key, "-out", str(certificate), *subject]
    subprocess.run(command, check=True, capture_output=True)
    return certificate


class EncryptingServer:
    """Listens on a port of localhost, and speaks TLS there for a server's Unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encrypted = 0
        self._given = conninfo_to_dict(address())
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(make_certificate(folder, "own"), folder / "own.key")
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def target(self, **options: str) -> Target:
        assert self._server is not None
        port = str(self._server.sockets[0].getsockname()[1])
        return Target.parse(make_conninfo("", **{**self._given, "host": "localhost", "port": port, **options}))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
                self.encrypted += 1
                path = f"{self._given['host']}/.s.PGSQL.{self._given.get('port', 5432)}"
                answers, requests = await asyncio.open_unix_connection(path)
                await asyncio.gather(_forward(reader, requests), _forward(answers, writer))
        writer.close()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
    writer.close()


@pytest.fixture
async def encrypting(tmp_path: Path) -> AsyncIterator[EncryptingServer]:
    """A server with a certificate of its own."""
    make_certificate(tmp_path, "another")
    server = EncryptingServer(tmp_path)
    await server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_a_connection_is_encrypted_where_that_is_asked(encrypting: EncryptingServer, mode: str) -> None:
    options = {"sslmode": mode, "sslrootcert": str(encrypting.folder / "own")}
    await reach(encrypting.target(**options))
    assert encrypting.encrypted == 1


@pytest.mark.parametrize(
    ("trusted", "host", "said"),
    [
        ("another", "localhost", "not signed by what sslrootcert trusts"),
        ("own", "127.0.0.1", "for another host name"),
        ("missing", "localhost", "the file that sslrootcert names"),
    ],
)
async def test_a_server_that_cannot_prove_who_it_is_is_refused(
    encrypting: EncryptingServer, trusted: str, host: str, said: str
) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": str(encrypting.folder / trusted), "host": host}
    with pytest.raises(ConfigError, match=said):
        await reach(encrypting.target(**options))


async def test_a_server_without_a_certificate_is_refused_where_encryption_is_asked() -> None:
    async with postgres_proxy(address()) as proxy:
        with pytest.raises(ConfigError, match="it has no TLS"):
            await reach(Target.parse(f"{proxy.address} sslmode=require"))
