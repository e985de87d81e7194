"""Which cluster the operator works for, where none can be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from rojak.types.errors import ConfigurationError
from rojak_operator.kube import Kube


@pytest.mark.parametrize("content", [None, "apiVersion: v1\nkind: Config\n", "a text"])
async def test_a_kubeconfig_that_says_no_cluster_is_named_with_the_remedy(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"looked at .*kubeconfig.*KUBECONFIG"):
        await Kube.connect(kubeconfig=str(path))
