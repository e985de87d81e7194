"""How fast, how big: Rojak measured beside the floor, a bare Temporal workflow that makes the same calls.

``python -m bench`` prints the table of docs/performance.md. Processes are as in reality: a Temporal server, a model
server, a worker, and this process as the client. Wall times of a shared machine vary by a third from one run to the
next, so both sides are measured in turns within one run, and the ratios are what to compare.
"""
