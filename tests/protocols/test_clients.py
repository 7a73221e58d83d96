"""The official clients of both protocols, against a server as it is."""

from __future__ import annotations

import uuid

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import a2a_pb2
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from tests.live_server import LiveServer

pytestmark = pytest.mark.postgres(cluster=True)


@pytest.mark.parametrize(("mode", "revision"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_the_mcp_client_lists_and_calls_tools(live_server: LiveServer, mode: str, revision: str) -> None:
    async with Client(f"{live_server.url}/mcp", mode=mode) as client:
        assert client.protocol_version == revision
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["echo"].description == "Repeats the last message, word by word."
        assert tools["echo"].input_schema["properties"]["messages"]["type"] == "string"
        assert set(tools["chain"].input_schema["properties"]) == {"n", "log", "last"}
        called = await client.call_tool("chain", {"n": 1})
        assert not called.is_error
        assert called.structured_content["n"] == 112
        said = await client.call_tool("echo", {"messages": "hello there"})
        assert said.structured_content["messages"][-1]["content"] == "echo: hello there"
        failed = await client.call_tool("failing", {})
        assert failed.is_error
        assert failed.content[0].type == "text"
        assert failed.content[0].text == "ValueError"
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("nothing", {})


def message(text: str) -> a2a_pb2.SendMessageRequest:
    said = a2a_pb2.Message(message_id=str(uuid.uuid4()), role=a2a_pb2.ROLE_USER, parts=[a2a_pb2.Part(text=text)])
    return a2a_pb2.SendMessageRequest(message=said)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_the_a2a_client_talks_to_an_assistant(live_server: LiveServer, version: str, streaming: bool) -> None:
    async with httpx.AsyncClient(timeout=30, verify=False) as http:
        path = "/.well-known/agent-card.json?assistant_id=echo"
        card = await A2ACardResolver(http, live_server.url).get_agent_card(relative_card_path=path)
        spoken = [each for each in card.supported_interfaces if each.protocol_version == version]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(spoken)
        client = ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)
        events = [event async for event in client.send_message(message("hello there"))]
        task = events[0].task
        if streaming:
            pieces = [event.status_update.status.message.parts[0].text for event in events[1:-2]]
            assert pieces == ["echo:", "echo: hello", "echo: hello there"]
            assert events[-2].artifact_update.artifact.parts[0].text == "echo: hello there"
            assert events[-1].status_update.status.state == a2a_pb2.TASK_STATE_COMPLETED
        else:
            assert task.status.state == a2a_pb2.TASK_STATE_COMPLETED
            assert task.artifacts[0].parts[0].text == "echo: hello there"
        found = await client.get_task(a2a_pb2.GetTaskRequest(id=task.id, history_length=1))
        assert [each.parts[0].text for each in found.history] == ["echo: hello there"]
        if version == "1.0":
            listed = await client.list_tasks(a2a_pb2.ListTasksRequest(context_id=task.context_id))
            assert [each.id for each in listed.tasks] == [task.id]
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(a2a_pb2.CancelTaskRequest(id=task.id))
        with pytest.raises(TaskNotFoundError):
            await client.get_task(a2a_pb2.GetTaskRequest(id=f"{task.context_id}:{uuid.uuid4()}"))
