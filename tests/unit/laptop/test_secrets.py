"""Where a laptop finds Secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rojak.laptop.secrets import LaptopSecrets, read_env_file, variables_of
from rojak.manifests import Key
from rojak.types.errors import ConfigurationError


def test_the_variables_are_the_workers_own_and_the_plain_one() -> None:
    assert variables_of("openai", "api-key") == ("ROJAK_SECRET_OPENAI__API_KEY", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("environ", "more", "value"),
    [
        ({"OPENAI_API_KEY": "plain"}, {}, "plain"),
        ({"OPENAI_API_KEY": "plain", "ROJAK_SECRET_OPENAI__API_KEY": "exact"}, {}, "exact"),
        ({"OPENAI_API_KEY": "environment"}, {"OPENAI_API_KEY": "file"}, "environment"),
        ({}, {"OPENAI_API_KEY": "file"}, "file"),
        ({"OPENAI_API_KEY": ""}, {}, None),
        ({}, {}, None),
    ],
)
def test_the_environment_counts_before_the_env_file(
    environ: dict[str, str], more: dict[str, str], value: str | None
) -> None:
    assert LaptopSecrets({}, environ, more).get("default", "openai", "api-key") == value


def test_a_secret_among_the_files_counts_first_in_its_own_namespace() -> None:
    secrets = LaptopSecrets({Key("default", "openai"): {"api-key": "manifest"}}, {"OPENAI_API_KEY": "plain"}, {})
    assert secrets.get("default", "openai", "api-key") == "manifest"
    assert secrets.get("other", "openai", "api-key") == "plain"


def test_an_env_file_has_quotes_exports_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# a comment\n\nexport A=1\nB = 'two words' \nC=\"3 # no comment\"\nD=4 # comment\nE=\n")
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "3 # no comment", "D": "4", "E": ""}


def test_what_is_no_line_of_an_env_file_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("A=1\nsk-secret\n")
    with pytest.raises(ConfigurationError, match=r"env:2: a line of an env file is NAME=value") as caught:
        read_env_file(path)
    assert "sk-secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_env_file(tmp_path / "nothing")
