"""Pure: manifests in, Kubernetes objects, Temporal schedules and statuses out. No client, no clock, no kopf."""
