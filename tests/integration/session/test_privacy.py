"""What people and models say, and keys, stay out of the logs, also where things go wrong."""

from __future__ import annotations

import logging

import pytest

from rojak import Rojak
from rojak.testing import ModelServer
from rojak.types.errors import RunFailedError
from tests.integration.session.conftest import task


@pytest.mark.usefixtures("worker")
async def test_logs_hold_neither_words_nor_keys(
    rojak: Rojak, model: ModelServer, session_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    model.when(last_user="confidential-refusal").error(400, "confidential-refusal quoted by the provider")
    with caplog.at_level(logging.INFO):
        script = task('call note {"key": "k", "value": "confidential-value"}; fail; add', "say confidential-answer")
        await rojak.run(id=session_id, task=script, debug=True)
        with pytest.raises(RunFailedError, match="confidential-refusal"):
            await rojak.run(id=f"{session_id}-2", task=task("confidential-refusal"), debug=True)
    assert "BadRequestError" in caplog.text
    assert "step CallModel" in caplog.text
    assert "confidential" not in caplog.text
    assert "confidential" not in str([record.__dict__ for record in caplog.records])
