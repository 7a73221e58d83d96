"""The revisions of MCP, and how a request says which one it speaks.

Up to 2025-11-25 a client begins with `initialize`. Since 2026-07-28 there is no such beginning: each request says in
`params._meta` what its client speaks, and headers repeat what is routed by.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from runyard.handlers.protocols.json_rpc import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError

WITH_HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Those that begin with `initialize`, the oldest first."""
PER_REQUEST: Final = ("2026-07-28",)
"""Those without such a beginning."""
SUPPORTED: Final = (*WITH_HANDSHAKE, *PER_REQUEST)
WITHOUT_HEADER: Final = "2025-03-26"
"""The revision of a request that names none: the header came with the next."""
WITH_BATCHES: Final = "2025-03-26"
"""The only revision in which several messages may come at once."""

UNSUPPORTED: Final = -32022
HEADER_MISMATCH: Final = -32020

_PREFIX = "io.modelcontextprotocol"
VERSION_KEY: Final = f"{_PREFIX}/protocolVersion"
CAPABILITIES_KEY: Final = f"{_PREFIX}/clientCapabilities"
SERVER_KEY: Final = f"{_PREFIX}/serverInfo"


def negotiated(wanted: str) -> str:
    """The revision that is spoken with a client that would like to speak `wanted`."""
    return wanted if wanted in WITH_HANDSHAKE else WITH_HANDSHAKE[-1]


def unsupported(wanted: Any) -> RpcError:
    """The error for a revision that is not spoken."""
    return RpcError(UNSUPPORTED, "Unsupported protocol version", {"supported": [*SUPPORTED], "requested": wanted})


def check_request(message: Mapping[str, Any], revision: str, method: str | None, name: str | None) -> None:
    """Raises RpcError for a request of 2026-07-28 that does not say what it must, or contradicts its headers, of which
    `revision`, `method` and `name` are the values."""
    meta = message.get("params", {}).get("_meta")
    if not isinstance(meta, dict) or not {VERSION_KEY, CAPABILITIES_KEY} <= meta.keys():
        raise RpcError(INVALID_PARAMS, f"params._meta: {VERSION_KEY} and {CAPABILITIES_KEY} are required")
    if meta[VERSION_KEY] != revision:
        raise RpcError(HEADER_MISMATCH, f"The header MCP-Protocol-Version is not what params._meta says: {revision}")
    if method != message["method"]:
        raise RpcError(HEADER_MISMATCH, "The header Mcp-Method has to name the method of the message")
    called = message["params"].get("name")
    if message["method"] == "tools/call" and called is not None and _decoded(name) != called:
        raise RpcError(HEADER_MISMATCH, "The header Mcp-Name has to name the tool that is called")


def unknown_method(method: str) -> RpcError:
    """The error for a method that there is not."""
    return RpcError(METHOD_NOT_FOUND, f"Method not found: {method[:100]}")


def _decoded(header: str | None) -> str | None:
    """The text of a header that may be in base64; None for one that cannot be read."""
    if header is None or not (header.startswith("=?base64?") and header.endswith("?=")):
        return header
    try:
        return base64.b64decode(header[9:-2], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
