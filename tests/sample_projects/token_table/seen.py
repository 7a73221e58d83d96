"""Graphs that show for whom they run."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from langgraph_sdk.runtime import ServerRuntime
from typing_extensions import TypedDict

KEYS = ("langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions", "user_id")


class Context(TypedDict, total=False):
    user_id: str
    city: str


class State(TypedDict, total=False):
    seen: Any
    answer: Any


async def look(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> Any:
    user = config["configurable"]["langgraph_auth_user"]
    info = runtime.server_info
    return {
        "seen": {
            **{key: config["configurable"][key] for key in KEYS},
            "attributes": None if user is None else [user.identity, user.display_name, user.permissions],
            "of_the_server": None if info is None or info.user is None else info.user.identity,
            "context": runtime.context,
        }
    }


node: Any = look  # LangGraph's types know no node that takes both a config and a runtime
graph = StateGraph(State, context_schema=Context).add_node("look", node).add_edge(START, "look").compile()


async def ask(state: State, config: RunnableConfig) -> Any:
    asked_of = config["configurable"]["langgraph_auth_user_id"]
    return {"answer": [interrupt("who?"), asked_of]}


ask_node: Any = ask
asking = StateGraph(State).add_node("ask", ask_node).add_edge(START, "ask").compile()


def make(runtime: ServerRuntime) -> Any:
    """A graph whose node is named after whoever has it made."""
    identity = runtime.ensure_user().identity

    async def name(state: State) -> Any:
        return {"seen": [identity, runtime.access_context]}

    return StateGraph(State).add_node(f"of_{identity}", name).add_edge(START, f"of_{identity}").compile()
