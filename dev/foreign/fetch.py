"""Takes the definitions out of the Go modules of the projects that made them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dev.foreign import FOLDER
from dev.gobuild import BuildError, cache_folder, find_go


@dataclass(frozen=True)
class Module:
    """A Go module.

    Attributes:
        path: of it, as Go names it.
        version: that is taken.
        checksum: of that version, as go.sum has it.
        files: within the module.
        notice: what its licence asks to be told.
    """

    path: str
    version: str
    checksum: str
    files: tuple[str, ...]
    notice: str


_PROMETHEUS: Final = "example/prometheus-operator-crd/monitoring.coreos.com_"
MODULES: Final = (
    Module(
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        ("config/crd/bases/keda.sh_scaledobjects.yaml", "config/crd/bases/keda.sh_triggerauthentications.yaml"),
        "Copyright the KEDA authors, Apache License 2.0",
    ),
    Module(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (f"{_PROMETHEUS}podmonitors.yaml", f"{_PROMETHEUS}servicemonitors.yaml"),
        "CoreOS Project, Copyright 2015 CoreOS, Inc, Apache License 2.0",
    ),
)


def fetch(module: Module) -> dict[str, str]:
    """Contents of our files, by their names.

    Raises:
        BuildError: the module cannot be had, or is not the one that is pinned.
    """
    go = find_go(cache_folder("foreign").parent)
    with tempfile.TemporaryDirectory(prefix="rojak-foreign-") as scratch:
        result = subprocess.run(
            [go, "mod", "download", "-json", f"{module.path}@{module.version}"],
            cwd=scratch, env=os.environ | {"GOFLAGS": "-mod=mod"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = json.loads(result.stdout or "{}")
    if "Dir" not in found:
        raise BuildError(f"{module.path}@{module.version}: {found.get('Error') or result.stderr.strip()}")
    if found["Sum"] != module.checksum:
        raise BuildError(f"{module.path}@{module.version} is {found['Sum']}, not {module.checksum}")
    return {Path(name).name: _file(module, name, Path(found["Dir"], name)) for name in module.files}


def _file(module: Module, name: str, path: Path) -> str:
    origin = f"# {name} of {module.path} {module.version}, without descriptions.\n# {module.notice}.\n"
    definition = without_descriptions(yaml.safe_load(path.read_text()))
    definition["metadata"] = {"name": definition["metadata"]["name"]}
    return origin + yaml.safe_dump(definition, sort_keys=False, width=120)


def without_descriptions(data: Any, *, of_fields: bool = False) -> Any:
    """They are most of a definition. A field may be called ``description``, too: it stays."""
    if isinstance(data, list):
        return [without_descriptions(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        name: without_descriptions(value, of_fields=name == "properties" and not of_fields)
        for name, value in data.items()
        if of_fields or name != "description"
    }


def main() -> None:
    """Write the files."""
    for module in MODULES:
        for name, text in fetch(module).items():
            (FOLDER / name).write_text(text)
            print(f"wrote {name}: {len(text)} bytes")
