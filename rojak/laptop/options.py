"""What `rojak dev` can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """What `rojak dev` was asked for.

    Attributes:
        paths: files and folders with manifests.
        namespace: of objects that do not say.
        temporal: arguments of `Client.connect` for a Temporal that runs already; one is started when left out.
        temporal_namespace: Temporal's namespace, of one that is started.
        flags: with which other commands find the same Temporal, if nothing but they lead there.
        data: folder in which the started Temporal keeps its data; in memory when left out.
        env_file: with more variables.
        script: a model script that plays for all agents.
        watch: whether changes of the files are followed.
    """

    paths: tuple[Path, ...]
    namespace: str = "default"
    temporal: Mapping[str, Any] | None = field(default=None, repr=False)
    temporal_namespace: str = "default"
    flags: tuple[str, ...] = ()
    data: Path | None = None
    env_file: Path | None = None
    script: Path | None = None
    watch: bool = True
