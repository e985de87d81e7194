"""What `rojak dev` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What `rojak dev` was asked for.

    Attributes:
        paths: files and folders with manifests.
        namespace: of objects that do not say.
        address: of a Temporal that runs already; one is started when left out.
        temporal_namespace: Temporal's namespace.
        data: folder in which the started Temporal keeps its data; in memory when left out.
        env_file: with more variables.
        script: a model script that plays for all agents.
        watch: whether changes of the files are followed.
    """

    paths: tuple[Path, ...]
    namespace: str = "default"
    address: str | None = None
    temporal_namespace: str = "default"
    data: Path | None = None
    env_file: Path | None = None
    script: Path | None = None
    watch: bool = True
