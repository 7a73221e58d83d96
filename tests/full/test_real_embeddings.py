"""The store finds what is meant, with a model whose package has its weights: nothing is asked of a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from langgraph_sdk import get_sync_client

from tests.live_server import StartServer

from .environments import run, write_project

MODEL = """
from pathlib import Path

import wordllama

# The package looks for its files elsewhere than where they lie.
model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def embed(texts):
    return model.embed(texts)
"""
MEMORIES = {
    "water": "She spends her summers at a lake in the mountains.",
    "food": "He cooks dumplings and noodle soup for his friends.",
    "music": "They play the violin in an orchestra.",
    "money": "Her bank charges a fee for every transfer.",
    "animal": "The neighbours have a puppy and two kittens.",
}
QUESTIONS = {
    "Where can one go swimming?": "water",
    "What would be a nice dinner?": "food",
    "Who would come to a concert?": "music",
    "What does a payment cost?": "money",
    "Is there a dog or a cat?": "animal",
}


@pytest.mark.full
def test_questions_find_the_memory_that_answers_them(start_server: StartServer, tmp_path: Path) -> None:
    packages = ("wordllama==0.4.0.post1", "tokenizers", "safetensors", "toml", "numpy>=2", "requests", "pydantic>=2")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:")
    run(*pip, "--target", tmp_path / "site", *packages, cwd=tmp_path)
    config = write_project(tmp_path)
    (tmp_path / "embed.py").write_text(MODEL)
    project = json.loads(config.read_text())
    project["dependencies"] = [".", "./site"]
    project["store"] = {"index": {"embed": "./embed.py:embed", "dims": 256, "fields": ["text"]}}
    config.write_text(json.dumps(project))
    server = start_server(config=config, args=("--workers", "1"), env={"HF_HUB_OFFLINE": "1"})
    with get_sync_client(url=server.url) as client:
        for key, text in MEMORIES.items():
            client.store.put_item(["ada"], key, {"text": text})
        found = {
            question: client.store.search_items(["ada"], query=question, limit=1)["items"][0]["key"]
            for question in QUESTIONS
        }
    assert found == QUESTIONS
