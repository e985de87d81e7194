"""`rojak dev`: what an operator and a cluster do for manifests, done on a laptop by one process and its children.

`planner` is pure: from manifests to a `plan` of what should run. `pools`, `servers` and `schedules` make it so.
`laptop` follows the files and keeps them all in step; `board` is what there is to see, and `screen` shows it.
"""
