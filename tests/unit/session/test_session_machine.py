"""Any interleaving of tasks, replies, approvals, failures and roll-overs keeps what a session promises.

The machine does what the workflow shell does: it asks `decide` what is next, answers with outcomes of its choosing, and
in between callers send tasks, decisions and changes. At any point the state may go through JSON, as it does when a
workflow rolls over. A model of its own, as simple as can be, says what has to come out.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from rojak.session.intake import apply_config
from rojak.session.state import Settings
from rojak.types import (
    Compaction,
)
from tests.unit.session.machine.shell import Shell


class SessionMachine(Shell):
    """A session with callers, a model, tools and sub-agents."""

    @initialize(
        settings=st.builds(
            Settings,
            history_size=st.integers(0, 6),
            max_turns=st.one_of(st.none(), st.integers(0, 6)),
            max_tool_calls=st.one_of(st.none(), st.integers(0, 4)),
            max_tokens_total=st.one_of(st.none(), st.integers(0, 9)),
            run_timeout=st.one_of(st.none(), st.just(30.0)),
            compaction=st.one_of(
                st.none(),
                st.builds(Compaction, trigger_messages=st.integers(4, 8), keep_last=st.integers(0, 3)),
                st.builds(Compaction, trigger_tokens=st.just(2), keep_last=st.integers(0, 9)),
            ),
        )
    )
    def begin(self, settings: Settings) -> None:
        apply_config(self.state, settings)


#: Some seconds on an idle machine; the limit is for one that does much else. How many examples is up to the profile
#: (tests/conftest.py): `ROJAK_TEST_PROFILE=thorough` looks much longer.
TestSession = pytest.mark.timeout(600)(SessionMachine.TestCase)
TestSession.settings = settings(stateful_step_count=50, print_blob=True)
