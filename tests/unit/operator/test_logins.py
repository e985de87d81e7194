"""The operator's own login to Temporal, as its files are, and the connections that are made with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rojak.types.errors import ConfigurationError
from rojak_operator.desired.defaults import TemporalDefaults
from rojak_operator.handlers.logins import login_digest, operator_login
from rojak_operator.metrics import Metrics
from rojak_operator.settings import OperatorSettings
from rojak_operator.temporal import Connections, TemporalError


@pytest.mark.parametrize("field", ["api_key_path", "ca_path", "cert_path", "key_path"])
def test_each_file_of_the_login_counts_as_it_is_now(field: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first\n")
    defaults = replace(TemporalDefaults(), **{field: str(path)})
    first = login_digest(defaults)
    assert first == login_digest(defaults)
    path.write_text("second\n")
    assert login_digest(defaults) not in ("", first)
    path.unlink()
    assert login_digest(defaults) == ""
    with pytest.raises(TemporalError, match=f"{path}.* cannot be read") as raised:
        operator_login(defaults, "default")
    assert raised.value.is_passing


def test_the_key_in_a_file_may_end_with_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("key\n")
    assert operator_login(TemporalDefaults(api_key_path=str(path)), "default").api_key == "key"


async def test_a_login_that_nobody_uses_any_more_is_forgotten_after_an_hour() -> None:
    now = 0.0
    connections = Connections(Metrics(), requests_per_second=10, clock=lambda: now)
    logins = [operator_login(TemporalDefaults(address="127.0.0.1:1"), name) for name in ("old", "used", "new")]
    old, used = [await connections.get(login) for login in logins[:2]]
    now = 3000.0
    assert await connections.get(logins[1]) is used
    now = 4000.0
    await connections.get(logins[2])
    assert await connections.get(logins[1]) is used
    assert await connections.get(logins[0]) is not old


def test_a_key_and_a_file_with_a_key_are_one_too_many() -> None:
    given = {"TEMPORAL_API_KEY": "secret", "TEMPORAL_API_KEY_PATH": "/file"}
    with pytest.raises(ConfigurationError, match="TEMPORAL_API_KEY and TEMPORAL_API_KEY_PATH") as raised:
        OperatorSettings.from_environment(given)
    assert "secret" not in str(raised.value)
