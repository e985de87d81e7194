"""Our chart: rendered, linted, and checked by the schemas of the Kubernetes versions that we support."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from dev.foreign import schema_of
from dev.helm.binary import Helm
from rojak.manifests.crds import render_crds

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "deploy/helm/rojak"
#: From the chart's own `kubeVersion` to the newest that there are schemas for.
KUBERNETES_VERSIONS: Final = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
#: What a cluster may have beside Kubernetes, as `Capabilities` of the chart sees it.
API_VERSIONS: Final = ("monitoring.coreos.com/v1",)

Object = dict[str, Any]


def values_files() -> list[Path]:
    """Installations that the chart is made for."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def render(
    helm: Helm,
    *values: Path,
    settings: Sequence[str] = (),
    release: str = "rojak",
    namespace: str = "rojak-system",
    kubernetes: str = KUBERNETES_VERSIONS[-1],
    api_versions: Iterable[str] = (),
    templates: Sequence[str] = (),
) -> list[Object]:
    """What an installation makes.

    Args:
        values: files of them.
        settings: single ones, as ``--set`` takes them.
        release: its name.
        namespace: where.
        kubernetes: the version of the cluster.
        api_versions: what the cluster has beside.
        templates: only these, by their paths in the chart.

    Raises:
        HelmError: the values are refused.
    """
    command = ["template", release, str(CHART), "--namespace", namespace, "--kube-version", kubernetes]
    for flag, given in (("--values", values), ("--set", settings), ("--api-versions", api_versions)):
        command += [part for value in given for part in (flag, str(value))]
    command += [part for template in templates for part in ("--show-only", template)]
    return [obj for obj in yaml.safe_load_all(helm(*command)) if obj]


def default_pools(objects: Iterable[Object]) -> list[Object]:
    """The WorkerPool that the operator among the objects is told to make, if it is."""
    containers = [
        c for obj in objects if obj["kind"] == "Deployment" for c in obj["spec"]["template"]["spec"]["containers"]
    ]
    variables = [variable for container in containers for variable in container.get("env", ())]
    return [json.loads(variable["value"]) for variable in variables if variable["name"] == "ROJAK_WORKER_POOL"]


def problems_of(obj: Object, kubernetes: str) -> list[str]:
    """What the strict schema of a Kubernetes version, or the definition of a custom kind, says against an object."""
    title = f"{obj.get('kind')} {obj.get('metadata', {}).get('name')}"
    api_version = str(obj.get("apiVersion", ""))
    try:
        if api_version.startswith("rojak.dev/"):
            jsonschema.validate(obj, _closed_definition(_open_definition(obj["kind"])))
        elif foreign := schema_of(api_version, obj["kind"]):
            jsonschema.validate(obj, _closed_definition(foreign))
        else:
            kubernetes_validate.validate(obj, kubernetes, strict=True)
    except jsonschema.ValidationError as error:
        where = ".".join(str(part) for part in error.path)
        return [f"{title}: {where}: {error.message} (Kubernetes {kubernetes})"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{title}: {error.message}"]
    return []


def closed(schema: Any) -> Any:
    """A schema of a CustomResourceDefinition as JSON Schema that allows no unknown field."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        name: closed(value) if name != "properties" else {key: closed(inner) for key, inner in value.items()}
        for name, value in schema.items()
        if not name.startswith("x-kubernetes-")
    }
    if plain.get("properties") and not schema.get("x-kubernetes-preserve-unknown-fields"):
        plain.setdefault("additionalProperties", False)
    return plain


def schema_of_spec(kind: str) -> Any:
    """JSON Schema of the spec of one of our kinds."""
    return closed(_open_definition(kind)["properties"]["spec"])


def _closed_definition(definition: Any) -> Any:
    schema = closed(definition)
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _open_definition(kind: str) -> Any:
    found = [crd for crd in render_crds().values() if crd["spec"]["names"]["kind"] == kind]
    return found[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
