"""One reconciler for each kind: reads the store, calls `desired`, applies, reports. No decisions of their own."""
