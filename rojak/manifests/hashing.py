"""Tells one version of plain data from another."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def hash_of(data: Any, length: int = 16) -> str:
    """A short hash of plain data."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
