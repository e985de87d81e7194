"""The corpus in Qdrant's embedded engine, and a way to embed texts that needs no model and no network.

The embedding is a toy, good enough for a few pages: a text's words, and their pieces of four letters, are hashed
into the dimensions of a vector, so that texts which share words are near each other. It knows nothing of meaning;
"canine" and "dog" are strangers to it. Give `QdrantRetrieverOptions(embed=...)` a real one.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qdrant_client import AsyncQdrantClient, models

CORPUS = Path(__file__).parent / "corpus"
COLLECTION = "mountains"
#: The store of the manifests: ``python -m examples.knowledge.library`` fills it.
STORE = Path(__file__).parent / "manifests" / "handbook.qdrant"
DIMENSIONS = 1024
#: Words that are in every text, and say nothing about it.
COMMON_WORDS = """
a an and are as at be before by can do does for from has have how i if in into is it its long many may much my of on or
take takes that the there to what when where which who will with you your
"""
STOP_WORDS = frozenset(COMMON_WORDS.split())


@dataclass(frozen=True)
class Section:
    """A section of a page: what is found as a whole."""

    source: str
    text: str


def read_corpus() -> Iterator[Section]:
    """Every section of every page, with the name of the page and its own."""
    for page in sorted(CORPUS.glob("*.md")):
        for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
            title, _, text = part.partition("\n")
            yield Section(source=f"{page.name}: {title}", text=" ".join(text.split()))


def embed(text: str) -> list[float]:
    """A vector of length 1."""
    vector = [0.0] * DIMENSIONS
    # Once each, so that a long text is not known for its commonest word, and without the s of plurals.
    words = {word.rstrip("s") for word in re.findall(r"[^\W_]+", text.lower()) if word not in STOP_WORDS}
    for word in words:
        _add(vector, word, 1.0)
        for start in range(len(word) - 3):
            _add(vector, f"#{word[start : start + 4]}", 0.3)
    length = math.sqrt(sum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]


def _add(vector: list[float], feature: str, weight: float) -> None:
    digest = hashlib.blake2b(feature.encode(), digest_size=4).digest()
    vector[int.from_bytes(digest) % DIMENSIONS] += weight


async def fill(client: AsyncQdrantClient) -> int:
    """Put the corpus into the collection; the number of sections."""
    vectors = models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)
    await client.create_collection(COLLECTION, vectors_config=vectors)
    sections = list(read_corpus())
    points = [
        models.PointStruct(
            id=number,
            # The title belongs to what can be found, and the source to what is shown.
            vector=embed(f"{section.source} {section.text}"),
            payload={"text": section.text, "source": section.source},
        )
        for number, section in enumerate(sections)
    ]
    await client.upsert(COLLECTION, points)
    return len(points)


async def make_store() -> None:
    """Make the store of the manifests anew, in a folder beside them."""
    client = AsyncQdrantClient(path=str(STORE))
    await client.delete_collection(COLLECTION)
    print(f"{await fill(client)} sections are in {STORE}")
    await client.close()


if __name__ == "__main__":
    asyncio.run(make_store())
