"""Knowledge from a vector store, in two ways: ``python -m examples.knowledge.main "May I bring my dog?"``.

The guide has what belongs to a question in its instructions before the model is asked. The scout has a tool, and looks
things up when it wants to and for what it wants.
"""

from __future__ import annotations

import asyncio
import sys
import uuid

from temporalio.client import Client

from examples.knowledge.library import COLLECTION, embed, fill
from examples.knowledge.manifests.model_script import write_script
from examples.support import Screen, a_model, console
from rojak import Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities
from rojak.dev import TemporalServer
from rojak.retrievers import QdrantRetriever, QdrantRetrieverActivities, QdrantRetrieverOptions

QUESTION = "May I bring my dog to the Larch Hut, and how long is the trail to the Larch Hut?"
ANSWER_BRIEFLY = "Answer in one or two sentences from what is in the handbook alone, and name the source in brackets."

handbook = QdrantRetriever()
guide = OpenAIAgent(name="Guide", instructions=f"You know the mountains. {ANSWER_BRIEFLY}", retriever=handbook)
scout = OpenAIAgent(
    name="Scout",
    instructions=f"You look things up with search_handbook, one search for each thing asked. {ANSWER_BRIEFLY}",
    tools=[handbook.as_tool(name="search_handbook", description="Searches the handbook of huts, trails and safety.")],
)


async def main(question: str) -> None:
    """Ask both."""
    library = QdrantRetrieverActivities(
        QdrantRetrieverOptions(path=":memory:", collection_name=COLLECTION, embed=embed, limit=2, score_threshold=0.1)
    )
    console.print(f"{await fill(library.client)} sections are in the handbook.")
    with a_model(write_script), TemporalServer() as server:
        console.print(f"Temporal UI: {server.ui_url or server.address}")
        rojak = Rojak(await Client.connect(server.address), task_queue="knowledge")
        screen = Screen()
        async with rojak.create_worker([OpenAIAgentActivities(), library]):
            for agent in (guide, scout):
                screen.say("You", question)
                task = TaskParams(agent=agent, messages=[{"role": "user", "content": question}])
                async for event in rojak.stream(id=f"knowledge-{uuid.uuid4().hex[:8]}", task=task):
                    screen.show(event)


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or QUESTION))
