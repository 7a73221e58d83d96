"""What a stopped run leaves: the state that it had reached."""

from runyard.runtime.graph_input import GraphRun, run_config, state_config
from runyard.runtime.graph_run import Outcome, _interrupts, _keeps_state, _values
from runyard.runtime.graphs import Graphs
from runyard.runtime.lifecycle import CANCELLED


async def stopped_graph(graphs: Graphs, run: GraphRun) -> Outcome:
    values, interrupts, paused = None, b"{}", False
    if _keeps_state(run):
        graph = await graphs.open(run.graph_id, run_config(run), store=run.store)
        snapshot = await graph.aget_state(state_config(run))
        values, interrupts, paused = _values(snapshot), _interrupts(snapshot), bool(snapshot.next)
    return Outcome(
        status="error",
        answer=values or CANCELLED,
        values=values,
        interrupts=interrupts,
        paused=paused,
        error=None,
    )
