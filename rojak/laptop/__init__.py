"""`rojak dev`: what an operator and a cluster do for manifests, done on a laptop by one process and its children.

`plan` is pure: from manifests to what should run. `workers`, `servers` and `schedules` make it so; `laptop` follows the
files and keeps them all in step; `board` is what there is to see, `screen` and `lines` show it.
"""
