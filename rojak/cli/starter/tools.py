"""What the agent can do. Type hints and docstrings are what the model sees."""


def get_weather(place: str) -> str:
    """The weather at a place.

    Args:
        place: for instance Paris.
    """
    return f"It is sunny in {place}."


def send_warning(place: str, text: str) -> str:
    """Warn everybody at a place."""
    return f"Sent to {place}: {text}"
