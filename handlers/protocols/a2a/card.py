"""Agent cards: what an assistant can do, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runyard.generated.models import Assistant
from runyard.handlers.http.responses import json_response
from runyard.handlers.http.scope import Receive, Scope, Send

HISTORY_SCOPE: Final = "LangGraph-A2A-History-Scope"

_MODES: Final = ["application/json", "text/plain"]
_EXTENSION: Final = {
    "uri": "https://langchain.com/a2a/extensions/history-scope/v1",
    "description": "Choose task-only or full-context response history",
    "required": False,
    "params": {
        "header": HISTORY_SCOPE,
        "values": ["context", "task"],
        "default": "context",
        "methods": ["SendMessage", "GetTask", "ListTasks"],
    },
}


class CardResponse:
    """Answers an assistant's card. It names the server as the client has called it."""

    def __init__(self, assistant: Assistant, schema: Mapping[str, Any], version: str) -> None:
        self._assistant = assistant
        self._schema = schema
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
        base = f"{scope['scheme']}://{host}{scope.get('root_path', '')}"
        await json_response(self._card(f"{base}/a2a/{self._assistant.assistant_id}"))(scope, receive, send)

    def _card(self, url: str) -> dict[str, Any]:
        name, assistant_id = self._assistant.name, self._assistant.assistant_id
        description = self._assistant.description or f"{name} assistant"
        return {
            "name": name,
            "description": description,
            "url": url,
            "preferredTransport": "JSONRPC",
            "protocolVersion": "0.3.0",
            "supportedInterfaces": [
                {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version} for version in ("1.0", "0.3")
            ],
            "capabilities": {
                "streaming": True,
                "pushNotifications": False,
                "stateTransitionHistory": False,
                "extensions": [_EXTENSION],
            },
            "defaultInputModes": _MODES,
            "defaultOutputModes": _MODES,
            "skills": [
                {
                    "id": f"{assistant_id}-main",
                    "name": f"{name} Capabilities",
                    "description": description,
                    "tags": ["assistant", "langgraph"],
                    "examples": [],
                    "inputModes": _MODES,
                    "outputModes": _MODES,
                    "metadata": {
                        "inputSchema": {
                            "required": self._schema.get("required", []),
                            "properties": [*self._schema.get("properties", {})],
                            "supportsA2A": "messages" in self._schema.get("properties", {}),
                        }
                    },
                }
            ],
            "version": self._version,
        }
