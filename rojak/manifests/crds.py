"""Makes the CustomResourceDefinitions of the models.

The API server wants *structural* schemas: no references, no alternatives, no null types. What the models say beyond
types becomes CEL (``x-kubernetes-validations``), so that no webhook is needed.
"""

from __future__ import annotations

from typing import Any, Final

from rojak.manifests.loading import KINDS
from rojak.manifests.resource import GROUP, VERSION, Column, Resource
from rojak.manifests.values import LABEL_CEL, LABEL_HINT

#: Said of a schema in pydantic's words and of no use to the API server.
_DROPPED: Final = ("title", "additionalProperties", "$defs")
#: What a person who reads a schema wants to see first.
_FIRST: Final = ("description", "type", "enum", "default", "required")
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")


def render_crds() -> dict[str, dict[str, Any]]:
    """The CustomResourceDefinitions, by the plural of their kind."""
    return {kind.listing.plural: render_crd(kind) for kind in KINDS.values()}


def render_crd(kind: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    listing, name = kind.listing, kind.__name__
    subresources: dict[str, Any] = {"status": {}}
    if listing.replicas_path:
        subresources["scale"] = {
            "specReplicasPath": listing.replicas_path,
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _render_schema(kind)},
        "subresources": subresources,
        "additionalPrinterColumns": [_render_column(column) for column in (*listing.columns, _AGE)],
    }
    if listing.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in listing.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{listing.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": listing.plural,
                "singular": name.lower(),
                "shortNames": list(listing.short_names),
                "categories": ["rojak"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _render_column(column: Column) -> dict[str, Any]:
    rendered: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**rendered, "priority": 1} if column.wide else rendered


def _render_schema(kind: type[Resource]) -> dict[str, Any]:
    raw = kind.model_json_schema(by_alias=True)
    schema = _structural(raw, raw.get("$defs", {}))
    properties = schema["properties"]
    # These belong to the API server: it knows them, and defaults would only be in the way.
    for name in ("apiVersion", "kind"):
        properties[name] = {"description": properties[name]["description"], "type": "string"}
    properties["metadata"] = {"type": "object"}
    schema["required"] = [name for name in schema["required"] if name != "metadata"]
    schema["x-kubernetes-validations"] = [
        {"rule": LABEL_CEL.replace("self", "self.metadata.name"), "message": f"metadata.name {LABEL_HINT}"}
    ]
    if not schema["required"]:
        del schema["required"]
    return schema


def _structural(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema without references, alternatives and nulls."""
    if "$ref" in node:
        referred = definitions[node["$ref"].rsplit("/", 1)[1]]
        node = {**referred, **{key: value for key, value in node.items() if key != "$ref"}}
        return _structural(node, definitions)
    if "anyOf" in node:
        (only,) = [option for option in node["anyOf"] if option.get("type") != "null"]
        node = {**only, **{key: value for key, value in node.items() if key != "anyOf"}}
        return _structural(node, definitions)
    ordered = sorted(node.items(), key=lambda item: _FIRST.index(item[0]) if item[0] in _FIRST else len(_FIRST))
    schema = {key: value for key, value in ordered if key not in _DROPPED}
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    # Of an object, its own fields have defaults; null means that there is none.
    if isinstance(schema.get("default"), dict | list) or ("default" in schema and schema["default"] is None):
        del schema["default"]
    if "properties" in schema:
        schema["properties"] = {name: _structural(part, definitions) for name, part in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = _structural(schema["items"], definitions)
    if isinstance(node.get("additionalProperties"), dict):
        schema["additionalProperties"] = _structural(node["additionalProperties"], definitions)
    return schema
