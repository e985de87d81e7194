"""The weather agent as files: ``rojak dev -f examples/weather/manifests``."""
