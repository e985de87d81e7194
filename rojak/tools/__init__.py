"""Functions as tools: their JSON schemas, running them, and what they change.

A registered function is looked at once, when the worker is configured, so that everything wrong with it is an
error then. A call binds the model's JSON to typed arguments, runs the function in a thread or on the event
loop, and answers with an outcome: text, a patch of the context variables, an agent to hand over to, or an
error written for the model.
"""

from rojak.tools.arguments import bind_arguments
from rojak.tools.current import CallInfo, calling, current_call
from rojak.tools.execution import execute_function
from rojak.tools.instructions import resolve_instructions
from rojak.tools.registry import FunctionRegistry
from rojak.tools.results import MAX_ERROR_BYTES, MAX_OUTPUT_BYTES, MAX_PATCH_BYTES, PREVIEW_BYTES
from rojak.tools.schema import FunctionSpec, function_to_json, specify
from rojak.tools.threads import ToolThreads

__all__ = [
    "MAX_ERROR_BYTES",
    "MAX_OUTPUT_BYTES",
    "MAX_PATCH_BYTES",
    "PREVIEW_BYTES",
    "CallInfo",
    "FunctionRegistry",
    "FunctionSpec",
    "ToolThreads",
    "bind_arguments",
    "calling",
    "current_call",
    "execute_function",
    "function_to_json",
    "resolve_instructions",
    "specify",
]
