"""The stream mode `lifecycle`: a graph and its subgraphs, from their beginnings to their ends."""

from __future__ import annotations

from tests.unit.graph_runner import GraphRunner


def lifecycles(runner: GraphRunner) -> list[tuple[str, str | None]]:
    return [(data["event"], data.get("graph_name")) for data in runner.data_of("lifecycle")]


async def test_lifecycle_tells_of_the_graph_and_its_subgraphs(graph_runner: GraphRunner) -> None:
    await graph_runner.run("subgraphed", input={"messages": []}, stream_mode=["lifecycle", "values"])
    assert lifecycles(graph_runner) == [
        ("running", "subgraphed"),
        ("started", "child"),
        ("completed", "child"),
        ("completed", "subgraphed"),
    ]
    began, started, *_ = graph_runner.data_of("lifecycle")
    assert began["namespace"] == []
    assert started["namespace"][0].startswith("child:")
    assert {*graph_runner.event_names} == {"metadata", "lifecycle", "values"}


async def test_lifecycle_shows_nothing_else_of_subgraphs_unless_that_is_asked_for(graph_runner: GraphRunner) -> None:
    for inside in (False, True):
        await graph_runner.run(
            "subgraphed", input={"messages": []}, stream_mode=["lifecycle", "updates"], subgraphs=inside
        )
        assert any("|child:" in name for name in graph_runner.event_names) == inside


async def test_lifecycle_tells_how_a_graph_ended_that_asks_or_fails(graph_runner: GraphRunner) -> None:
    await graph_runner.run("two_asks", input={}, stream_mode=["lifecycle"])
    assert lifecycles(graph_runner) == [("running", "two_asks"), ("interrupted", "two_asks")]
    await graph_runner.run("failing", input={}, stream_mode=["lifecycle"])
    assert graph_runner.data_of("lifecycle")[-1] == {
        "event": "failed",
        "graph_name": "failing",
        "error": "boom from failing graph",
        "namespace": [],
    }
