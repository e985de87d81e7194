"""The command starts at once, says what is wrong in one line, and exits with a code that means something."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rojak.cli.app import COMMANDS, load_command

HEAVY = ["temporalio", "pydantic", "rich", "yaml", "openai", "anthropic", "starlette", "rojak.types", "rojak.manifests"]


def rojak(*arguments: str, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rojak.cli", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, cwd=cwd)


def test_help_imports_nothing_heavy() -> None:
    program = f"""
import sys
from rojak.cli import main
code = main(["--help"])
print([name for name in {HEAVY!r} if name in sys.modules], code)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[] 0", result


def test_help_takes_less_than_a_third_of_a_second_of_computing() -> None:
    # Of computing, since a busy machine makes everything wait; the best of a few, since it slows computing too.
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        rojak("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_of_a_command_what_the_command_says(name: str) -> None:
    command = load_command(name)
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name].help


def test_a_command_that_does_not_exist_is_an_error_with_a_suggestion() -> None:
    result = rojak("validte")
    assert result.returncode == 2
    assert result.stderr.startswith("error: No such command 'validte'. Did you mean 'validate'?\n")


def test_an_option_that_is_missing_or_unknown_is_an_error_of_usage() -> None:
    assert rojak("validate").stderr.startswith("error: Missing option '--filename' / '-f'.")
    assert rojak("validate", "-f", ".", "-o", "xml").returncode == 2
    assert rojak("validate", "--nope").returncode == 2


def test_no_command_prints_help() -> None:
    result = rojak()
    assert result.returncode == 0
    assert "validate" in result.stdout


def test_the_version_is_printed() -> None:
    assert rojak("--version").stdout.startswith("rojak 2.")


def test_without_the_extra_one_line_says_what_to_install() -> None:
    program = "import sys; sys.modules['typer'] = None\nfrom rojak.cli import main\nsys.exit(main(['--help']))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr == "error: the command line is not installed: pip install 'rojak[cli]'\n"


def test_a_command_whose_extra_is_missing_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['yaml'] = None\nfrom rojak.cli import main\nsys.exit(main(['validate', '-f', '.']))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr == "error: this command needs the package 'yaml': pip install 'rojak[cli]'\n"


def test_whoever_stops_reading_our_output_causes_no_error() -> None:
    command = f"{sys.executable} -m rojak.cli --help | head -c 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert result.stderr == ""


def test_a_shell_can_complete_commands() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "rojak.cli"],
        env={"_ROJAK_COMPLETE": "complete_bash", "COMP_WORDS": "rojak val", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.split() == ["validate"]
