"""The guide and its store as files: ``rojak dev -f examples/knowledge/manifests``."""
