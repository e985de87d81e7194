"""Vectors of queries: from a function, or from the fastembed package."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rojak.retrievers.embedding import Embedding, as_vector
from rojak.types.errors import ConfigurationError, RetrievalError


class Array:
    """As numpy's."""

    def tolist(self) -> list[float]:
        return [1, 2.5]


@pytest.mark.parametrize("vector", [[1, 2.5], (1, 2.5), Array()])
def test_vectors_come_in_several_forms(vector: Any) -> None:
    assert as_vector(vector) == [1.0, 2.5]


@pytest.mark.parametrize("wrong", [None, [], "text", [[1.0]], ["1"], 3])
def test_what_is_no_vector_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="no list of numbers"):
        as_vector(wrong)


async def test_an_embedding_function_that_exits_does_not_end_the_worker() -> None:
    def leave(text: str) -> Any:
        raise SystemExit(1)

    with pytest.raises(RetrievalError, match="the embedding function raised"):
        await Embedding(leave).embed("x")


async def test_a_sync_function_leaves_the_event_loop_alone() -> None:
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()

    def embed(text: str) -> list[float]:
        # Would wait for ever on the event loop's own thread.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(timeout=10)
        loop.call_soon_threadsafe(reached.set)
        return [1.0]

    assert await Embedding(embed).embed("x") == [1.0]
    await asyncio.wait_for(reached.wait(), 10)


#: What Rojak uses of the package, which would download a model.
FASTEMBED = """
import time
loaded = []
class TextEmbedding:
    def __init__(self, model_name):
        time.sleep(0.1)
        loaded.append(model_name)
    def query_embed(self, query):
        for text in query:
            yield [float(len(text)), 1.0]
"""
PROGRAM = """
import asyncio, fastembed
from rojak.retrievers.embedding import FastEmbedding

async def main():
    embedding = FastEmbedding("small")
    print(await asyncio.gather(embedding.embed("a"), embedding.embed("bb")), fastembed.loaded)

asyncio.run(main())
"""


def test_the_model_of_fastembed_is_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "fastembed.py").write_text(FASTEMBED)
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "[[1.0, 1.0], [2.0, 1.0]] ['small']\n", result.stderr
