"""Which commands there are, and how one is run."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer._click import Command, Context  # typer's own copy of click; it exports no other name for these
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError
from typer.core import TyperCommand, TyperGroup

from rojak.cli.errors import ExitCode, describe, exit_code_of, missing_extra

SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is imported when it runs.

    Attributes:
        module: has the command, or the group of commands, as ``app``, made by `command_app`.
        help: one line, for the list of commands.
        extra: of the package, that the command needs besides ``cli``.
    """

    module: str
    help: str
    extra: str = "cli"


#: All commands, in the order in which help lists them.
COMMANDS: Final[dict[str, Entry]] = {
    "init": Entry("rojak.cli.init", "Write a project to begin with: an agent, its functions, a test."),
    "validate": Entry("rojak.cli.validate", "Check manifests: their schema, and what they refer to."),
    "crds": Entry("rojak.cli.crds", "Print the CustomResourceDefinitions, for kubectl apply -f -."),
    "dev": Entry("rojak.cli.dev", "Run manifests on this machine, with Temporal and all.", extra="cli,worker,dev"),
    "run": Entry("rojak.cli.run", "Give an agent a task and print its answer."),
    "chat": Entry("rojak.cli.chat", "Talk to an agent."),
    "agents": Entry("rojak.cli.agents", "Agents that somebody serves: list, show."),
    "sessions": Entry("rojak.cli.sessions", "Sessions: list, show, cancel."),
    "approvals": Entry("rojak.cli.approvals", "Tool calls that wait for a human: list, approve, reject."),
    "schedules": Entry("rojak.cli.schedules", "Schedules: list, trigger, pause, resume, delete."),
    "worker": Entry("rojak.cli.worker", "Serve the agents of a configuration.", extra="cli,worker"),
    "mcp-bridge": Entry(
        "rojak.cli.mcp_bridge", "Serve an MCP server that speaks over its standard streams.", extra="cli,worker,mcp"
    ),
    "operator": Entry("rojak.cli.operator", "Run the Kubernetes operator.", extra="operator"),
}


def command_app(**options: Any) -> typer.Typer:
    """What a module of a command makes its ``app`` with."""
    return typer.Typer(rich_markup_mode=None, context_settings=SETTINGS, add_completion=False, **options)


class _LazyGroup(TyperGroup):
    """Lists the commands without importing them, and imports the one that runs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.rich_markup_mode = None
        for name, entry in COMMANDS.items():
            self.commands.setdefault(name, TyperCommand(name, help=entry.help, rich_markup_mode=None))

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else command, rest


def load_command(name: str) -> Command:
    """Import a command.

    Raises:
        CommandError: what it needs is not installed.
    """
    entry = COMMANDS[name]
    try:
        app = import_module(entry.module).app
    except ImportError as error:
        raise missing_extra(error, entry.extra) from error
    command = typer.main.get_command(app)
    command.name = name
    return command


app = typer.Typer(
    name="rojak",
    cls=_LazyGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings=SETTINGS,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"rojak {version('rojak')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error comes from.")] = False,
) -> None:
    """Agents that cannot be lost: on a laptop, in a cluster."""
    if debug:
        os.environ["ROJAK_DEBUG"] = "1"


def run(arguments: list[str]) -> int:
    """Run a command; print what goes wrong in one line."""
    try:
        code = app(arguments, prog_name="rojak", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except NoArgsIsHelpError as error:
        typer.echo(error.format_message())
        return 0
    except UsageError as error:
        where = error.ctx.command_path if error.ctx else "rojak"
        print(f"error: {error.format_message()}\nTry '{where} --help'.", file=sys.stderr)
        return 2
    except ClickException as error:
        print(f"error: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Who read our output, `head` for instance, has seen enough. Nothing is left to flush it to at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("ROJAK_DEBUG"):
            raise
        print(f"error: {describe(error)}", file=sys.stderr)
        return exit_code_of(error)
