"""The example `mcp_weather` runs as its users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_it_runs_without_a_key() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    command = [sys.executable, "-m", "examples.mcp_weather.main"]
    result = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "Weather calls get_weather" in result.stdout
    assert "Weather: It is 16 °C and foggy in San Francisco." in result.stdout
