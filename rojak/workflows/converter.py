"""How Rojak's data becomes Temporal payloads: JSON by pydantic, without the fields that nobody set."""

from __future__ import annotations

import dataclasses

from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import DataConverter, DefaultPayloadConverter


class RojakPayloadConverter(PydanticPayloadConverter):
    """Pydantic's converter; unset fields are left out, which halves the size of a history."""

    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))


def adapt_data_converter(converter: DataConverter) -> DataConverter:
    """The converter with Rojak's payloads. A codec (encryption, say) and a failure converter of the user's stay.

    A payload converter of the user's own stays too: it has to be able to convert pydantic models.
    """
    if converter.payload_converter_class in (DefaultPayloadConverter, PydanticPayloadConverter):
        return dataclasses.replace(converter, payload_converter_class=RojakPayloadConverter)
    return converter


def derive_client(client: Client) -> Client:
    """A client on the same connection that converts Rojak's data; the one given stays as it is."""
    config = client.config()
    config["data_converter"] = adapt_data_converter(config["data_converter"])
    return Client(**config)
