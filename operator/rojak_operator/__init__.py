"""The Kubernetes operator: makes the cluster and Temporal look like the manifests, and says in their status how far.

Follow one manifest: `watches` hears of it and puts its key on the work queue -> a reconciler of `handlers` reads the
store, resolves references and calls `desired`, which is pure -> `applier` applies what differs -> the status is
computed and written if it changed. Nothing depends on which event came, or whether one came at all.
"""
