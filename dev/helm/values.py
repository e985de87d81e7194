"""What is made of the chart's values: their schema and their documentation, and the templates of the CRDs.

`values.yaml` has names, defaults and, after ``# --``, descriptions; `TYPES` below has what cannot be seen there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from dev.helm.chart import CHART, schema_of_spec
from rojak.manifests.crds import render_crds
from rojak.manifests.generated import to_yaml

_FOLDER: Final = "deploy/helm/rojak"
_NOTE: Final = "Made by `make generate`; do not edit."

Schema = dict[str, Any]


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _whole(least: int, most: int | None = None) -> Schema:
    return {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})


_STRING: Final[Schema] = {"type": "string"}
#: Checked by the API server.
_ANY_OBJECT: Final[Schema] = {"type": "object"}
_ANY_LIST: Final[Schema] = _list(_ANY_OBJECT)
_STRINGS: Final[Schema] = {"type": "object", "additionalProperties": _STRING}
#: The chart's own labels, by which it finds things, are not to be replaced.
_LABELS: Final[Schema] = _STRINGS | {"propertyNames": {"not": {"pattern": r"^(app\.kubernetes\.io|helm\.sh)/"}}}
_NAME: Final[Schema] = {"type": "string", "pattern": r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", "maxLength": 253}
_NAMESPACE: Final[Schema] = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
_KEY: Final[Schema] = {"type": "string", "pattern": r"^[-._a-zA-Z0-9]+$"}
_ADDRESS: Final[Schema] = {"type": "string", "pattern": r"^([^\s/:]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5})?$"}
_DURATION: Final[Schema] = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h))+$"}
_QUANTITIES: Final[Schema] = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_RESOURCES: Final[Schema] = _object(requests=_QUANTITIES, limits=_QUANTITIES, claims=_ANY_LIST)
_PULL_POLICY: Final[Schema] = {"enum": ["Always", "IfNotPresent", "Never"]}
_REFERENCES: Final[Schema] = _list(_object(name=_NAME) | {"required": ["name"]})
_PORT: Final[Schema] = _whole(1, 65535)
_ENV: Final[Schema] = _list(
    {"required": ["name"], **_object(name=_STRING, value=_STRING, valueFrom=_ANY_OBJECT)},
)
_TOLERATIONS: Final[Schema] = _list(
    _object(
        key=_STRING,
        operator={"enum": ["Exists", "Equal"]},
        value=_STRING,
        effect={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
        tolerationSeconds=_whole(0),
    )
)

#: Types by path, where the default says too little. Booleans and strings need none.
TYPES: Final[dict[str, Schema]] = {
    "commonLabels": _LABELS,
    # A tag or a digest has a value of its own.
    "image.repository": _STRING | {"pattern": r"^(([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]([-._/a-z0-9]*[a-z0-9])?)?$"},
    "image.digest": _STRING | {"pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": _PULL_POLICY,
    "imagePullSecrets": _REFERENCES,
    "watchNamespaces": _list(_NAMESPACE),
    "serviceAccount.name": _NAME,
    "serviceAccount.annotations": _STRINGS,
    "temporal.address": _ADDRESS,
    "temporal.namespace": _STRING | {"minLength": 1},
    **{f"temporal.{secret}.name": _NAME for secret in ("caSecret", "clientCertSecret", "apiKeySecret")},
    **{f"temporal.{secret}.key": _KEY for secret in ("caSecret", "apiKeySecret")},
    **{f"temporal.workers.{secret}": _NAME for secret in ("caSecret", "clientCertSecret", "apiKeySecret")},
    "workerPool.name": _NAMESPACE,
    "workerPool.namespace": _NAME,
    "workerPool.serviceAccount.name": _NAME,
    "workerPool.serviceAccount.annotations": _STRINGS,
    "operator.replicas": _whole(0, 10),
    "operator.leaderElection.leaseSeconds": _whole(3, 600),
    "operator.concurrency": _whole(1, 100),
    "operator.resyncSeconds": _whole(1),
    "operator.auditSeconds": _whole(1),
    "operator.kubeRequestsPerSecond": _whole(1),
    "operator.temporalRequestsPerSecond": {"type": "number", "minimum": 0.1},
    "operator.scheduleDeletionTimeoutSeconds": _whole(0),
    "operator.logFormat": {"enum": ["json", "text"]},
    "operator.env": _ENV,
    "operator.envFrom": _ANY_LIST,
    "operator.resources": _RESOURCES,
    "operator.podAnnotations": _STRINGS,
    "operator.podLabels": _LABELS,
    "operator.annotations": _STRINGS,
    "operator.nodeSelector": _STRINGS,
    "operator.tolerations": _TOLERATIONS,
    "operator.affinity": _object(nodeAffinity=_ANY_OBJECT, podAffinity=_ANY_OBJECT, podAntiAffinity=_ANY_OBJECT),
    "operator.topologySpreadConstraints": _ANY_LIST,
    "operator.terminationGracePeriodSeconds": _whole(1),
    "operator.extraVolumes": _ANY_LIST,
    "operator.extraVolumeMounts": _ANY_LIST,
    "operator.podDisruptionBudget.maxUnavailable": {"type": ["integer", "string"]},
    "metrics.service.annotations": _STRINGS,
    **{
        f"metrics.{monitor}.{name}": schema
        for monitor in ("serviceMonitor", "podMonitor")
        for name, schema in (("labels", _STRINGS), ("interval", _DURATION), ("scrapeTimeout", _DURATION))
    },
    "networkPolicy.operator.metricsFrom": _ANY_LIST,
    "networkPolicy.operator.egressPorts": _list(_PORT),
    "networkPolicy.operator.extraEgress": _ANY_LIST,
    "networkPolicy.workers.ingressFrom": _ANY_LIST,
    "networkPolicy.workers.egress": _ANY_LIST,
    "devTemporal.image.repository": _STRING | {"minLength": 1},
    "devTemporal.image.tag": _STRING | {"minLength": 1},
    "devTemporal.image.pullPolicy": _PULL_POLICY,
    "devTemporal.resources": _RESOURCES,
}


@dataclass(frozen=True)
class Value:
    """One of the values: its path with dots, its default, and what it is for."""

    path: str
    default: Any
    description: str


def read_values() -> list[Value]:
    """All that are described, in the order of the file.

    Raises:
        ValueError: one is not described.
    """
    text = (CHART / "values.yaml").read_text()
    defaults = yaml.safe_load(text)
    found: list[Value] = []
    inside: list[tuple[int, str]] = []
    description: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if stripped.startswith("# -- "):
            description = [stripped[5:]]
        elif stripped.startswith("#") and description:
            description.append(stripped[1:].strip())
        elif match := re.match(r"([A-Za-z]\w*):", stripped):
            inside = [entry for entry in inside if entry[0] < indent] + [(indent, match[1])]
            if description:
                path = ".".join(name for _, name in inside)
                found.append(Value(path, _at(defaults, path), " ".join(description)))
            description = []
        else:
            description = []
    described = tuple(value.path for value in found)
    for path in _leaves(defaults):
        if not path.startswith(tuple(f"{known}." for known in described)) and path not in described:
            raise ValueError(f"values.yaml: {path} has no `# --` with its description")
    return found


def render_schema(values: list[Value]) -> str:
    """values.schema.json."""
    # Other charts that have this one as a part may hand on `global`; Helm adds it by itself.
    root: Schema = _object() | {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart rojak",
    }
    types = TYPES | {"workerPool.spec": schema_of_spec("WorkerPool")}
    for value in values:
        schema = root
        *parents, name = value.path.split(".")
        for parent in parents:
            schema = schema["properties"].setdefault(parent, _object())
        schema["properties"][name] = {"description": value.description} | (types.pop(value.path, None) or _guess(value))
    root["properties"]["global"] = _ANY_OBJECT | {"description": "Not used; Helm hands it to charts within charts."}
    if types:
        raise ValueError(f"TYPES has what values.yaml has not: {', '.join(types)}")
    return json.dumps(root, indent=2) + "\n"


def render_readme(values: list[Value]) -> str:
    """README.md of the chart."""
    rows = "\n".join(
        f"| `{value.path}` | {value.description.replace('|', chr(92) + '|')} | `{json.dumps(value.default)}` |"
        for value in values
    )
    return f"""<!-- {_NOTE} -->

# Helm chart of Rojak

The operator, its definitions and rights; optionally a worker pool to share, and a Temporal to try things out.
How to install, upgrade and remove it: [docs/install.md](../../../docs/install.md).

```sh
helm upgrade --install rojak deploy/helm/rojak --namespace rojak-system --create-namespace \\
  --set image.repository=registry.example/rojak --set temporal.address=temporal-frontend.temporal:7233 --wait
```

Wrong values are refused before anything is sent to the cluster: `values.schema.json` knows no others than these.

| Value | What it is | Default |
|---|---|---|
{rows}
"""


def render_files() -> dict[str, str]:
    """Contents of the files that are made, by their paths in the repository."""
    values = read_values()
    return {
        f"{_FOLDER}/values.schema.json": render_schema(values),
        f"{_FOLDER}/README.md": render_readme(values),
        **{f"{_FOLDER}/templates/crds/{plural}.yaml": _crd_template(crd) for plural, crd in render_crds().items()},
    }


def _crd_template(crd: dict[str, Any]) -> str:
    """A CRD as a template: Helm upgrades those, and never what is in a folder `crds/`."""
    name = crd["metadata"]["name"]
    body = to_yaml({key: value for key, value in crd.items() if key != "metadata"}).replace("{{", '{{ "{{" }}')
    return f"""{{{{- /* {_NOTE} */ -}}}}
{{{{- if .Values.crds.enabled }}}}
metadata:
  name: {name}
  labels:
    {{{{- include "rojak.labels" . | nindent 4 }}}}
  {{{{- if .Values.crds.keep }}}}
  annotations:
    helm.sh/resource-policy: keep
  {{{{- end }}}}
{body}{{{{- end }}}}
"""


def _guess(value: Value) -> Schema:
    if isinstance(value.default, bool):
        return {"type": "boolean"}
    if isinstance(value.default, str):
        return dict(_STRING)
    raise ValueError(f"dev/helm/values.py: TYPES has no type of {value.path}")


def _at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data[name]
    return data


def _leaves(data: Any, path: str = "") -> list[str]:
    if not isinstance(data, dict) or not data:
        return [path]
    return [leaf for name, inner in data.items() for leaf in _leaves(inner, f"{path}.{name}" if path else name)]
