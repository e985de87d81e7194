"""The name under which version 1 had it: ``from rojak.utils import function_to_json``."""

from rojak.tools.schema import function_to_json

__all__ = ["function_to_json"]
