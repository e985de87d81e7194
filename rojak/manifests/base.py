"""What every part of a manifest is: strict, in camelCase, closed to fields that nobody knows, with rules of its own.

The models here are the only definition of the custom resources. Validation of files, the CRDs, the reference pages and
the operator's types all come from them, so a constraint is written once: as a type, or as one of a model's ``rules``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from rojak.manifests.descriptions import describe_fields, describe_model
from rojak.manifests.rules import Rule

#: Given as validation context: leave the rules out. The loader does, since it checks them one by one, to report all.
WITHOUT_RULES: Final = {"rules": False}


_INITIALISMS: Final = re.compile(r"(?<=[a-z])(Id|Url|Cpu)(?![a-z])")


def to_wire_name(name: str) -> str:
    """camelCase, with initialisms as Kubernetes writes them: ``base_url`` is ``baseURL``."""
    return _INITIALISMS.sub(lambda found: found[0].upper(), to_camel(name))


def _describe(schema: dict[str, Any], cls: type[BaseModel]) -> None:
    """Put into the JSON schema what pydantic does not know: descriptions, and the rules as CEL."""
    schema["description"] = describe_model(cls)
    for name, text in describe_fields(cls).items():
        schema["properties"][wire_name(cls, name)]["description"] = text
    if issubclass(cls, Model) and cls.rules:
        schema["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in cls.rules]


class Model(BaseModel):
    """A part of a manifest.

    Fields are described in the docstring under ``Attributes``; the CRDs and the reference pages take it from there.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        alias_generator=to_wire_name,
        populate_by_name=True,
        hide_input_in_errors=True,
        json_schema_extra=_describe,
    )

    #: What holds between the fields.
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _keep_the_rules(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, Mapping) and (info.context or {}).get("rules", True):
            on_the_wire = {wire_name(cls, key): value for key, value in data.items()}
            for rule in cls.rules:
                if not rule.is_kept(on_the_wire):
                    raise PydanticCustomError("rule", "{message}", {"message": rule.message})
        return data

    def to_wire(self) -> dict[str, Any]:
        """The manifest as plain data: what was given, under the names that the wire has."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def wire_name(cls: type[BaseModel], field: str) -> str:
    """The name that a field has in a manifest; what is no field keeps its name."""
    known = cls.model_fields.get(field)
    return known.alias if known is not None and known.alias else field
