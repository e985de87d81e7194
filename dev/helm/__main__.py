"""``python -m dev.helm``, which is ``make chart``: lint, render, check each object for each Kubernetes version."""

from __future__ import annotations

import json
import sys
import time

from dev.gobuild import BuildError
from dev.helm.binary import Helm, HelmError, find_helm
from dev.helm.chart import (
    API_VERSIONS,
    CHART,
    KUBERNETES_VERSIONS,
    default_pools,
    problems_of,
    render,
    values_files,
)


def check(helm: Helm) -> tuple[int, list[str]]:
    """How many objects the chart makes for the installations of its folder `ci`, and what is wrong with them."""
    problems: list[str] = []
    checked: dict[str, list[str]] = {}
    for values in values_files():
        try:
            helm("lint", "--strict", "--quiet", str(CHART), "--values", str(values))
            # Nothing in the templates asks for the version, so that one rendering stands for all.
            objects = render(helm, values, api_versions=API_VERSIONS)
        except HelmError as error:
            problems.append(f"{values.name}: {error}")
            continue
        for obj in (*objects, *default_pools(objects)):
            text = json.dumps(obj, sort_keys=True)
            if text not in checked:
                checked[text] = [said for version in KUBERNETES_VERSIONS for said in problems_of(obj, version)]
            problems += [f"{values.name}: {said}" for said in checked[text]]
    return len(checked), problems


def main() -> int:
    """Say what is wrong; 0 if nothing is."""
    began = time.monotonic()
    try:
        count, problems = check(find_helm())
    except BuildError as error:
        count, problems = 0, [str(error)]
    for problem in problems:
        print(problem)
    print(
        f"chart: {count} objects checked for Kubernetes {KUBERNETES_VERSIONS[0]} to {KUBERNETES_VERSIONS[-1]},"
        f" {len(problems)} problems, {time.monotonic() - began:.0f} s"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
