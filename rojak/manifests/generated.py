"""Files of the repository that are made of the models: the CRDs and the reference of the fields."""

from __future__ import annotations

from typing import Any, Final

import yaml

from rojak.manifests.crds import render_crds
from rojak.manifests.reference import render_reference

_NOTE: Final = "Made of rojak/manifests by `make generate`; do not edit."


def to_yaml(data: Any) -> str:
    """The data as YAML that people can read: in the order it has, long text folded, no aliases."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def render_files() -> dict[str, str]:
    """Contents of the files, by their paths in the repository."""
    crds = {f"crds/rojak.dev_{plural}.yaml": f"# {_NOTE}\n{to_yaml(crd)}" for plural, crd in render_crds().items()}
    pages = {f"docs/reference/{name}.md": f"<!-- {_NOTE} -->\n\n{page}" for name, page in render_reference().items()}
    return crds | pages


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True
