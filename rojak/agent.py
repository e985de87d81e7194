"""Another name of what `rojak.agents` has, for ``from rojak.agent import Interrupt``."""

from rojak.types.agent import Agent, AgentExecuteFnResult, AgentInstructionOptions, Interrupt

__all__ = ["Agent", "AgentExecuteFnResult", "AgentInstructionOptions", "Interrupt"]
