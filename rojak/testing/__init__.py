"""Tests of agents without a model: a scripted model server, and pytest fixtures for it and for Temporal."""

from rojak.testing.conversation import AskedCall, Conversation, Said
from rojak.testing.replies import Reply, ScriptedCall, call
from rojak.testing.rules import Gate, Rule
from rojak.testing.server import ModelServer, RecordedRequest
from rojak.types.messages import Usage

__all__ = [
    "AskedCall",
    "Conversation",
    "Gate",
    "ModelServer",
    "RecordedRequest",
    "Reply",
    "Rule",
    "Said",
    "ScriptedCall",
    "Usage",
    "call",
]
