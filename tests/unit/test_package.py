"""The package's names are there, and asking for a part of it does not load the rest."""

from __future__ import annotations

import subprocess
import sys

import rojak


def test_every_public_name_can_be_imported() -> None:
    for name in rojak.__all__:
        assert getattr(rojak, name) is not None
    assert set(rojak.__all__) <= set(dir(rojak))


def test_manifests_can_be_read_without_temporal() -> None:
    program = "import sys, rojak.manifests; print('temporalio' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.stdout == "False\n", result.stderr
