"""Definitions of kinds that others made and that our objects are of: KEDA's and the Prometheus operator's.

Tests install them in the API server and check objects by them. They are in this folder, taken from the projects' Go
modules, whose checksums are pinned in `fetch`; ``python -m dev.foreign`` takes them again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


def definitions(group: str | None = None) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions, of one API group or all, without their descriptions."""
    found = [yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))]
    return [crd for crd in found if group in (None, crd["spec"]["group"])]


@cache
def schema_of(api_version: str, kind: str) -> dict[str, Any] | None:
    """The schema of a kind's objects as its definition has it; None if it is not here."""
    group, _, version = api_version.partition("/")
    for crd in definitions(group):
        if crd["spec"]["names"]["kind"] == kind:
            for served in crd["spec"]["versions"]:
                if served["name"] == version:
                    schema: dict[str, Any] = served["schema"]["openAPIV3Schema"]
                    return schema
    return None
