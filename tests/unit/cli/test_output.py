"""Lists are tables for people, without colours or boxes where nobody looks, and data for programs."""

from __future__ import annotations

import json
import sys

import pexpect
import pytest
import yaml

from rojak.cli.output import Format, print_rows

ROWS = [{"name": "triage", "tools": ["a", "b"], "ready": True}, {"name": "orders", "tools": [], "ready": False}]
COLUMNS = {"name": "name", "tools": "tools", "ready": "ready", "length": lambda row: len(row["name"])}


def test_without_a_terminal_a_table_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Format.TABLE)
    assert capsys.readouterr().out == (
        "NAME    TOOLS  READY  LENGTH\ntriage  a, b   yes    6\norders  -      no     6\n"
    )


@pytest.mark.parametrize(("output", "parse"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_programs_get_all_of_the_data(capsys: pytest.CaptureFixture[str], output: Format, parse: object) -> None:
    print_rows(ROWS, COLUMNS, output)
    assert parse(capsys.readouterr().out) == ROWS  # type: ignore[operator]  # one of the two above


def test_nothing_is_said_so_to_people_and_an_empty_list_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], COLUMNS, Format.TABLE, empty="no agents")
    print_rows([], COLUMNS, Format.JSON)
    said = capsys.readouterr()
    assert (said.err, said.out) == ("no agents\n", "[]\n")


def test_a_terminal_gets_a_table_whose_text_is_never_taken_for_markup() -> None:
    program = (
        "from rojak.cli.output import Format, print_rows\n"
        "print_rows([{'name': '[red]triage[/red]'}], {'name': 'name'}, Format.TABLE)"
    )
    child = pexpect.spawn(sys.executable, ["-c", program], encoding="utf-8", timeout=30, env=None)
    child.expect(pexpect.EOF)
    child.close()
    assert "NAME" in child.before
    assert "[red]triage[/red]" in child.before
