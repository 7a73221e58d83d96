"""What the API process does with LangGraph: it looks at graphs and at checkpoints, and edits states.

Executing is the workers' business, so a server that only takes and answers runs never needs any of this:
`LazyViews` imports it, and the user's graphs, when it is first asked for.
"""

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from runyard.runtime.checkpoints.pruning import latest_checkpoints
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.thread_states import ThreadStates
from runyard.runtime.config.langgraph_json import Project
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.graphs.schemas import AssistantGraphs
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import StoredChannel


class Views:
    """Graphs and states as the services see them."""

    def __init__(self, storage: Storage, graphs: Graphs) -> None:
        self._storage = storage
        self.assistants = AssistantGraphs(graphs)
        self.states = ThreadStates(storage, graphs)

    def latest_checkpoints(self, thread_id: str) -> tuple[str, list[KeptCheckpoint]]:
        """What a thread needs when its history is dropped; for a thread of the pool, it may take long."""
        checkpoints = self._storage.checkpoints
        return latest_checkpoints(RunSaver(checkpoints), thread_id, checkpoints.namespaces(thread_id))

    @staticmethod
    def read_channels(kind: str, data: bytes) -> dict[str, StoredChannel]:
        """See `ChannelReader`."""
        serde = JsonPlusSerializer()
        checkpoint = serde.loads_typed((kind, data))
        small = {channel: len(serde.dumps_typed(value)[1]) for channel, value in checkpoint["channel_values"].items()}
        versions = checkpoint["channel_versions"]
        return {channel: StoredChannel(str(version), small.get(channel, 0)) for channel, version in versions.items()}


def load_views(storage: Storage, project: Project) -> Views:
    """Imports the user's graphs. Raises ConfigError."""
    graphs = Graphs(project)
    graphs.load()
    return Views(storage, graphs)
