"""What the agent can do, and how it knows whom it talks to."""

from __future__ import annotations

from typing import Any, Literal

OBSERVED = {"paris": (19, "sunny"), "singapore": (31, "thundery"), "oslo": (4, "snowy")}


def get_weather(
    context_variables: dict[str, Any], location: str, unit: Literal["celsius", "fahrenheit"] | None = None
) -> str:
    """The weather at a place right now.

    Args:
        location: name of a city.
        unit: of the temperature; what the user prefers when left out.
    """
    if location.lower() not in OBSERVED:
        raise ValueError(f"nobody observes the weather in {location}; ask for {', '.join(OBSERVED)}")
    degrees, sky = OBSERVED[location.lower()]
    unit = unit or context_variables.get("unit", "celsius")
    context_variables["looked_up"] = [*context_variables.get("looked_up", []), location]
    return f"{degrees * 9 / 5 + 32:.0f} °F, {sky}" if unit == "fahrenheit" else f"{degrees} °C, {sky}"


def instructions(context_variables: dict[str, Any]) -> str:
    """Instructions that know the user's name."""
    return f"You tell {context_variables.get('user', 'the user')} about the weather, in one sentence."
