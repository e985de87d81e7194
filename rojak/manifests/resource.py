"""What the kinds have in common: metadata, a spec, a status, and how Kubernetes lists and scales them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from rojak.manifests.base import Model
from rojak.manifests.values import Conditions, Label

GROUP: Final = "rojak.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "rojak.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get``.

    Attributes:
        name: its heading.
        path: where in the object its value is.
        type: of the value.
        wide: shown with ``-o wide`` only.
    """

    name: str
    path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """How Kubernetes names, lists, selects and scales a kind.

    Attributes:
        plural: the name of the resource.
        short_names: for ``kubectl get``.
        columns: for ``kubectl get``; the age comes last by itself.
        selectable: fields that a field selector may name.
        replicas_path: the field that ``kubectl scale`` sets; None: it cannot be scaled.
    """

    plural: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    replicas_path: str | None = None


def condition_column(name: str, *, wide: bool = False) -> Column:
    """The status of a condition."""
    return Column(name, f'.status.conditions[?(@.type=="{name}")].status', wide=wide)


#: Why an object is not ready, for a person.
MESSAGE_COLUMN: Final = Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True)


class Status(Model):
    """What the operator found.

    Attributes:
        observed_generation: the generation of the object that this was found for.
        conditions: the aspects of the object's state.
    """

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    conditions: Conditions | None = None


class ObjectMeta(BaseModel):
    """Kubernetes' metadata of an object; what is not named here is kept as it is.

    Attributes:
        name: of the object, unique among its kind in its namespace; a DNS label.
        namespace: where the object is.
        labels: for selecting.
        annotations: for everything else.
        generation: counts the changes of the spec; set by the API server.
        uid: identity of the object; set by the API server.
    """

    model_config = ConfigDict(extra="allow", strict=True, alias_generator=to_camel, populate_by_name=True)

    # Names end up in task queues, schedule ids, labels and the names of Deployments and Services.
    name: Label
    namespace: Label = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    generation: int = 0
    uid: str = ""


class Resource(Model):
    """A manifest of one of our kinds."""

    listing: ClassVar[Listing]

    metadata: ObjectMeta

    @property
    def name(self) -> str:
        """Of the object."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Of the object."""
        return self.metadata.namespace

    @classmethod
    def parse(cls, data: Any) -> Self:
        """Make it of plain data, as the API server or a file gives it.

        Raises:
            pydantic.ValidationError: it is not what its kind's schema wants.
        """
        return cls.model_validate(data, by_alias=True, by_name=False)
