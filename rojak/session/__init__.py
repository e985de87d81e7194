"""The pure core of a session: its state, and every transition of it. No Temporal, no I/O, no clock."""
