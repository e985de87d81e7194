"""Helm for tests and checks, and what is checked of our chart.

`find_helm` finds the program or builds it; `chart` renders, lints and checks; ``python -m dev.helm`` does it all.
"""

from dev.helm.binary import Helm, HelmError, find_helm
from dev.helm.chart import CHART

__all__ = ["CHART", "Helm", "HelmError", "find_helm"]
