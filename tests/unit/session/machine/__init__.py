"""A machine that does to a session whatever can happen to one: see `test_session_machine`."""
