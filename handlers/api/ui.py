"""Components of front ends: the HTML that puts one into a page, and the files that it loads."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Final, Protocol

import orjson

from runyard.generated.models import UiComponentRequest
from runyard.handlers.api.assistant_access import read_assistant
from runyard.handlers.api.assistants import AssistantService
from runyard.handlers.http.callers import is_loopback_host, is_own_origin
from runyard.handlers.http.responses import BodyResponse, Response
from runyard.handlers.http.scope import Receive, Scope, Send
from runyard.runtime.auth.principal import Principal
from runyard.runtime.config.ids import usual_id

_TYPES: Final = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}
_FILE_HEADERS: Final = (
    # What browsers would show as a page of the server's own may do nothing as such.
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"public, max-age=31536000, immutable"),
)


class BuiltComponents(Protocol):
    """What browsers load of the components of one name."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """By their names."""

    @property
    def digest(self) -> str:
        """Names the content of all."""


class UiService(Protocol):
    """What the operations need of the service."""

    def has(self, name: str) -> bool:
        """Whether there are components of that name, built or not."""

    async def build(self, name: str) -> BuiltComponents:
        """The components of that name. Raises NotFound, and Unavailable where they could not be built."""

    def file(self, name: str, digest: str, file: str) -> bytes:
        """A file of the build with that digest. Raises NotFound."""


class UiHandlers:
    """The operations with the tag UI."""

    def __init__(self, ui: UiService, assistants: AssistantService) -> None:
        self._ui = ui
        self._assistants = assistants

    async def component(self, principal: Principal, body: UiComponentRequest, assistant_id: str) -> Response:
        """POST /ui/{assistant_id}"""
        name = assistant_id
        if not self._ui.has(name) and usual_id(name) is not None:
            scope = await read_assistant(principal, name)
            name = (await self._assistants.get(scope, name)).graph_id
        return FragmentResponse(name, body.name, await self._ui.build(name))

    async def file(self, assistant_id: str, build: str, file: str) -> Response:
        """GET /ui/{assistant_id}/{build}/{file}"""
        content = self._ui.file(assistant_id, build, file)
        _, dot, suffix = file.rpartition(".")
        content_type = _TYPES.get(dot + suffix, b"application/octet-stream")
        return BodyResponse(200, content, [(b"content-type", content_type), *_FILE_HEADERS])


class FragmentResponse:
    """Answers the HTML that loads a component. Pages of other origins find its files under the name by which they have
    called the server."""

    def __init__(self, name: str, component: str, build: BuiltComponents) -> None:
        self._name = name
        self._component = component
        self._build = build

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        base = f"{_address(scope)}{scope.get('root_path', '')}/ui/{self._name}/{self._build.digest}"
        # As `@langchain/langgraph-ui` names what it makes.
        variable = "__LGUI_" + re.sub(r"[^a-zA-Z0-9]", "_", self._name)
        call = f'{variable}.render({orjson.dumps(self._component).decode()}, "{{{{shadowRootId}}}}")'
        tags = []
        for file in self._build.files:
            address = html.escape(f"{base}/{file}")
            if file.endswith(".css"):
                tags.append(f'<link rel="stylesheet" href="{address}" />')
            elif file == "entrypoint.js":
                tags.append(f"<script src=\"{address}\" onload='{html.escape(call)}'></script>")
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
        await BodyResponse(200, "\n".join(tags).encode(), headers)(scope, receive, send)


def _address(scope: Scope) -> str:
    """How the page that asks finds the server; nothing where it is the server's own."""
    headers = dict(scope["headers"])
    host, origin = headers.get(b"host"), headers.get(b"origin")
    if host is None or origin is None or is_own_origin(origin, host):
        return ""
    # Pages come over HTTPS where a proxy does it for the server, and then so do its files.
    scheme = "http:" if is_loopback_host(host) else ""
    return f"{scheme}//{host.decode('latin-1')}"
