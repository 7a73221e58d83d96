"""One run looks at one installed Python distribution.

    read --+--> judge_licence --(not clear)--> read_licence_file --+
           +--> walk_dependencies ---------------------------------+--> conclude
           +--> measure -------------------------------------------+

`notes` is filled by several nodes at once, through a reducer. All data comes from `importlib.metadata`.
"""

import operator
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path, PurePath
from typing import Annotated, Literal, TypedDict, cast

import licences
import walk
from langgraph.graph import END, START, StateGraph


class Input(TypedDict):
    """What a run is given."""

    name: str


class Findings(TypedDict, total=False):
    """All that the nodes find out; sizes in bytes."""

    version: str
    about: str
    licence: str
    licence_kind: str
    licence_said_in: str
    direct: list[str]
    below: list[str]
    chain: list[str]
    files: int
    bytes: int
    compiled: int
    largest: str
    verdict: str
    notes: Annotated[list[str], operator.add]


class State(Input, Findings):
    """What a run is given and finds out."""


def metadata_of(name: str) -> Message:
    """The metadata of an installed distribution; raises PackageNotFoundError."""
    return cast(Message, distribution(name).metadata)


def read(state: State) -> State:
    """Reads the metadata; an unknown name fails the run."""
    metadata = metadata_of(state["name"])
    notes = [] if metadata.get("Summary") else ["has no summary"]
    for classifier in metadata.get_all("Classifier") or []:
        stage = classifier.removeprefix("Development Status :: ")
        if stage != classifier and stage[0] in "1237":  # planning, pre-alpha, alpha, inactive
            notes.append(f"calls itself {stage[4:].lower()}")
    return {
        "name": metadata["Name"],
        "version": metadata["Version"],
        "about": metadata.get("Summary") or "",
        "notes": notes,
    }


def judge_licence(state: State) -> Findings:
    """Judges the licence by what the metadata declares."""
    found = licences.from_metadata(metadata_of(state["name"]))
    if found is None:
        return {"licence": "unclear", "licence_kind": "unclear"}
    name, kind, said_in = found
    return {"licence": name, "licence_kind": kind, "licence_said_in": said_in}


def is_clear(state: State) -> Literal["read_licence_file", "conclude"]:
    """Only when the metadata leaves something open are files worth reading."""
    return "read_licence_file" if state["licence"] in ("unclear", "BSD") else "conclude"


def read_licence_file(state: State) -> Findings:
    """Recognises the licence by its text."""
    for path in distribution(state["name"]).files or []:
        if path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")) and path.suffix != ".py":
            found = licences.from_text(Path(path.locate()).read_text(errors="replace"))
            if found:
                name, kind = found
                vague = "no licence" if state["licence"] == "unclear" else f"only {state['licence']!r}"
                note = f"declares {vague}; its licence file reads like {name}"
                return {
                    "licence": name,
                    "licence_kind": kind,
                    "licence_said_in": "licence file",
                    "notes": [note],
                }
    if state["licence"] != "unclear":
        return {"notes": [f"declares only {state['licence']!r} and ships no text that says which"]}
    return {"licence_said_in": "nowhere", "notes": ["says nowhere what licence it is under"]}


def walk_dependencies(state: State) -> Findings:
    """Walks everything below it."""
    found = walk.walk(state["name"])
    notes = found.unmet + [f"depends on itself: {cycle}" for cycle in found.cycles[:1]]
    return {"direct": found.direct, "below": sorted(found.below), "chain": found.chain, "notes": notes}


def measure(state: State) -> Findings:
    """Adds up the files that belong to it."""
    sizes: dict[str, int] = {}
    missing = 0
    for path in distribution(state["name"]).files or []:
        try:
            sizes[str(path)] = Path(path.locate()).stat().st_size
        except OSError:
            missing += path.suffix != ".pyc"  # compiled files come and go
    largest = max(sizes, key=lambda name: sizes[name], default="")
    notes = [f"{missing} recorded files are missing"] if missing else []
    if largest and sizes[largest] > 5_000_000:
        notes.append(f"{sizes[largest] / 1e6:.0f} MB in one file, {PurePath(largest).name}")
    return {
        "files": len(sizes),
        "bytes": sum(sizes.values()),
        "compiled": sum(name.endswith((".so", ".pyd", ".dylib")) for name in sizes),
        "largest": largest,
        "notes": notes,
    }


def conclude(state: State) -> Findings:
    """Says in a few words what kind of package this is."""
    weight = "light" if state["bytes"] < 1_000_000 else "heavy" if state["bytes"] > 10_000_000 else "middling"
    company = f"brings {len(state['below'])} others" if state["below"] else "stands alone"
    return {"verdict": f"{weight}, {state['licence_kind']}, {company}"}


def build() -> StateGraph[State, None, Input, State]:
    """The uncompiled graph; the server compiles it."""
    builder = StateGraph(State, input_schema=Input)
    builder.add_node("read", read)
    builder.add_node("judge_licence", judge_licence)
    builder.add_node("read_licence_file", read_licence_file)
    builder.add_node("walk_dependencies", walk_dependencies)
    builder.add_node("measure", measure)
    builder.add_node("conclude", conclude, defer=True)  # waits for every branch, however long
    builder.add_edge(START, "read")
    for node in ("judge_licence", "walk_dependencies", "measure"):
        builder.add_edge("read", node)
    builder.add_conditional_edges("judge_licence", is_clear)
    for node in ("read_licence_file", "walk_dependencies", "measure"):
        builder.add_edge(node, "conclude")
    builder.add_edge("conclude", END)
    return builder


graph = build()
