"""What a person is asked at a terminal: the next message, and what to do with a tool call that waits."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from rojak.cli.arguments import arguments_object
from rojak.cli.errors import CommandError
from rojak.cli.view import pretty_arguments
from rojak.types.session import ResumeRequest, ResumeResponse

with suppress(ImportError):  # there is none on Windows, where input() edits by itself
    import readline

Choice = Literal["approve", "reject", "edit"]
_CHOICES: dict[str, Choice] = {
    **dict.fromkeys(("a", "approve", "y", "yes"), "approve"),
    **dict.fromkeys(("r", "reject", "n", "no"), "reject"),
    **dict.fromkeys(("e", "edit"), "edit"),
}
_QUESTION = "approve [a], reject [r], edit the arguments [e]? "


def read_message() -> str | None:
    """The next message; None when the person leaves. A line that ends with a backslash goes on in the next one."""
    lines: list[str] = []
    while True:
        try:
            line = input("...> " if lines else "you> ")
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            lines.clear()
            print("\nCtrl-D leaves.")
            continue
        if not line.endswith("\\"):
            return "\n".join([*lines, line]).encode(errors="surrogateescape").decode(errors="replace")
        lines.append(line[:-1])


def parse_choice(text: str) -> Choice | None:
    """What the person wants to do; None where that is not clear."""
    return _CHOICES.get(text.strip().lower())


def ask_decision(request: ResumeRequest, warn: Callable[[str], None]) -> ResumeResponse | None:
    """The person's decision; None when the person leaves it open."""
    try:
        while True:
            choice = parse_choice(_ask(_QUESTION))
            if choice == "approve":
                return ResumeResponse(action="approve", tool_id=request.tool_id)
            if choice == "reject":
                reason = _ask("reason, for the model (Enter for none): ").strip()
                return ResumeResponse(action="reject", tool_id=request.tool_id, content=reason or None)
            if choice == "edit":
                try:
                    changed = edit_arguments(request.tool_arguments)
                except CommandError as error:
                    warn(str(error))
                    continue
                if changed is None:
                    warn("nothing was changed")
                    continue
                return ResumeResponse(action="approve", tool_id=request.tool_id, tool_arguments=json.dumps(changed))
    except (EOFError, KeyboardInterrupt):
        print()
        return None


def edit_arguments(arguments: str) -> dict[str, object] | None:
    """The arguments as the person wants them, from the editor in $VISUAL or $EDITOR, or from a line; None if as before.

    Raises:
        CommandError: what the person wrote is no JSON object, or the editor failed.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    text = _from_editor(editor, pretty_arguments(arguments)) if editor else _from_line(arguments)
    if not text.strip():
        return None
    changed = arguments_object(text)
    with suppress(ValueError):
        if changed == json.loads(arguments):
            return None
    return changed


def _from_line(arguments: str) -> str:
    """A line with the arguments in it already, to be changed."""
    with suppress(NameError):
        readline.set_startup_hook(lambda: readline.insert_text(" ".join(arguments.split())))
    try:
        return _ask("arguments> ")
    finally:
        with suppress(NameError):
            readline.set_startup_hook()


def _from_editor(editor: str, text: str) -> str:
    with tempfile.TemporaryDirectory(prefix="rojak-") as folder:
        path = Path(folder) / "arguments.json"
        path.write_text(f"{text}\n", encoding="utf-8")
        try:
            result = subprocess.run([*shlex.split(editor), str(path)], check=False)
        except (OSError, ValueError) as error:
            raise CommandError(f"the editor {editor!r} (VISUAL, EDITOR) does not start: {error}") from None
        if result.returncode != 0:
            raise CommandError(f"the editor {editor!r} failed with {result.returncode}; nothing was changed")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"what the editor left cannot be read: {error}") from None


def _ask(prompt: str) -> str:
    """A line that is none of the messages among which the arrow keys go."""
    with suppress(NameError):
        readline.set_auto_history(False)
    try:
        return input(prompt)
    finally:
        sys.stdout.flush()
        with suppress(NameError):
            readline.set_auto_history(True)
