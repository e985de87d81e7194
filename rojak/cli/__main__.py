"""``python -m rojak.cli``: the command, where its script is not on the path."""

from rojak.cli import script

script()
