"""The agent, with a model that says what the test tells it to: no key, no network, real Temporal."""

import uuid
from pathlib import Path

from temporalio.client import Client

import tools
from rojak import Interrupt, ResumeRequest, ResumeResponse, Rojak, TaskParams
from rojak.agents import OpenAIAgent, OpenAIAgentActivities, OpenAIAgentOptions
from rojak.manifests import Key, load
from rojak.testing import call

MANIFESTS = load([Path(__file__).parent])
SPEC = MANIFESTS.agents[Key("default", "weather")].spec
AGENT = OpenAIAgent(
    name="weather",
    instructions=SPEC.instructions,
    functions=["get_weather", "send_warning"],
    interrupts=[Interrupt("send_warning")],
)


def make_activities(model_server):
    functions = [tools.get_weather, tools.send_warning]
    return OpenAIAgentActivities(
        OpenAIAgentOptions(api_key="test", base_url=model_server.base_url, all_functions=functions)
    )


async def test_it_looks_the_weather_up(model_server, temporal_address):
    model_server.when(last_role="user").reply(tool_calls=[call("get_weather", place="Paris")])
    model_server.when(last_tool="sunny").reply("Take your hat.")
    rojak = Rojak(await Client.connect(temporal_address), task_queue=str(uuid.uuid4()))
    async with rojak.create_worker([make_activities(model_server)]):
        task = TaskParams(agent=AGENT, messages=[{"role": "user", "content": "Weather in Paris?"}])
        response = await rojak.run(id=str(uuid.uuid4()), task=task)
    assert response.result.messages[-1].content == "Take your hat."


async def test_a_warning_waits_for_a_human(model_server, temporal_address):
    model_server.when(last_role="user").reply(tool_calls=[call("send_warning", place="Paris", text="Storm")])
    model_server.when(last_tool="Sent to Paris").reply("Done.")
    rojak = Rojak(await Client.connect(temporal_address), task_queue=str(uuid.uuid4()))
    session = str(uuid.uuid4())
    async with rojak.create_worker([make_activities(model_server)]):
        task = TaskParams(agent=AGENT, messages=[{"role": "user", "content": "Warn Paris of the storm!"}])
        response = await rojak.run(id=session, task=task)
        assert isinstance(response.result, ResumeRequest)
        decision = ResumeResponse(action="approve", tool_id=response.result.tool_id)
        response = await rojak.run(id=session, resume=decision)
    assert response.result.messages[-1].content == "Done."
