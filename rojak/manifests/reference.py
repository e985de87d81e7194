"""Makes the reference pages of the fields: one for each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rojak.manifests.crds import render_crd
from rojak.manifests.descriptions import describe_model
from rojak.manifests.loading import KINDS
from rojak.manifests.resource import API_VERSION, Resource


def render_reference() -> dict[str, str]:
    """The pages, by the names of their kinds in lower case; and ``README``, which lists them."""
    pages = {name.lower(): _render_page(kind) for name, kind in KINDS.items()}
    lines = [f"- [{name}]({name.lower()}.md): {describe_model(kind)}" for name, kind in KINDS.items()]
    pages["README"] = "\n".join(["# Fields of the manifests", "", *lines, ""])
    return pages


def _render_page(kind: type[Resource]) -> str:
    name, listing = kind.__name__, kind.listing
    version = render_crd(kind)["spec"]["versions"][0]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    columns = ", ".join(column["name"] for column in version["additionalPrinterColumns"])
    lines = [
        f"# {name}",
        "",
        describe_model(kind),
        "",
        f"`apiVersion: {API_VERSION}`, `kind: {name}`. kubectl knows it as `{listing.plural}` and"
        f" `{'`, `'.join(listing.short_names)}`, and as part of `rojak`. Columns of `kubectl get`: {columns}.",
    ]
    for part in ("spec", "status"):
        lines += ["", f"## {part}", "", "| field | type | |", "|---|---|---|"]
        lines += _rows(properties[part], part)
        rules = sorted(set(_rules(properties[part], part)))
        if rules and part == "spec":
            lines += ["", "What holds between the fields:", "", *rules]
    return "\n".join([*lines, ""])


def _rows(schema: dict[str, Any], path: str) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        inner = f"{path}.{name}"
        said = [field.get("description", "").replace("|", "\\|")]
        if name in required:
            said.append("**Required.**")
        if "default" in field:
            said.append(f"Default: `{_shown(field['default'])}`.")
        said += _bounds(field)
        yield f"| `{inner}` | {_type(field)} | {' '.join(said)} |"
        if field.get("type") == "array":
            yield from _rows(field["items"], f"{inner}[]")
        else:
            yield from _rows(field, inner)


def _type(field: dict[str, Any]) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if field.get("x-kubernetes-preserve-unknown-fields"):
        return "anything"
    if isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'])}"
    return kind


def _bounds(field: dict[str, Any]) -> list[str]:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return [f"From {low:g} to {high:g}."]
    return [f"At least {low:g}."] if low is not None else []


def _rules(schema: dict[str, Any], path: str) -> Iterator[str]:
    if schema.get("type") == "object":
        for rule in schema.get("x-kubernetes-validations", []):
            yield f"- `{path}`: {rule['message']}"
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from _rules(schema["items"], f"{path}[]")


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
