"""The documentation keeps up with the conditions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rojak_operator.desired.reasons import ConditionType, Reason
from rojak_operator.settings import OperatorSettings

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"`{reason}`" in (DOCS / "troubleshooting.md").read_text()


@pytest.mark.parametrize("condition", list(ConditionType))
def test_every_condition_is_explained(condition: ConditionType) -> None:
    assert f"`{condition}`" in (DOCS / "operator.md").read_text()


def test_every_setting_is_explained() -> None:
    named = set(re.findall(r"\b((?:ROJAK|TEMPORAL)_[A-Z_]+)", OperatorSettings.__doc__ or ""))
    assert named
    page = (DOCS / "operator.md").read_text()
    assert [name for name in named if f"`{name}`" not in page] == []
