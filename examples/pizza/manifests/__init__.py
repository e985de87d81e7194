"""The pizza team as files: ``rojak dev -f examples/pizza/manifests``."""
