"""The page on the command line has every command, every way to connect and every exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup

from rojak.cli.app import COMMANDS, load_command
from rojak.cli.connection import Connection
from rojak.cli.errors import ExitCode

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    lines = [line.split(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `rojak")]
    (line,) = [line for line in lines if re.search(rf"`rojak {name}\b", line)]
    command = load_command(name)
    if isinstance(command, TyperGroup):
        for sub in command.commands:
            assert re.search(rf"`(rojak {name} )?{sub}`", line), f"{name} {sub}"


def test_every_way_to_connect_is_there() -> None:
    for flag in Connection.__dataclass_fields__:
        assert f"`--{flag.replace('_', '-')}`" in PAGE


def test_every_exit_code_is_there() -> None:
    codes = PAGE[PAGE.index("## Exit codes") :]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", codes, re.MULTILINE)] == [code.value for code in ExitCode]


@pytest.mark.parametrize("name", ["run", "chat"])
def test_what_the_page_shows_of_a_command_it_takes(name: str) -> None:
    known = {option for parameter in load_command(name).params for option in parameter.opts}
    section = PAGE.split(f"## `rojak {name}`")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if f"rojak {name} " in line]
    assert lines
    assert {flag for line in lines for flag in re.findall(r" (--?[\w-]+)", line)} <= known


def test_commands_take_the_same_flags_to_connect() -> None:
    commands = [load_command("run"), load_command("chat")]
    for name in ("agents", "sessions", "approvals", "schedules"):
        group = load_command(name)
        assert isinstance(group, TyperGroup)
        commands += group.commands.values()
    for command in commands:
        names = {parameter.name for parameter in command.params}
        assert names >= set(Connection.__dataclass_fields__), command.name
