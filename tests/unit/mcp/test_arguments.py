from __future__ import annotations

import pytest

from rojak.mcp.arguments import ArgumentsError, check_arguments

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "places": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"city": "Oslo", "days": 2}', {"city": "Oslo", "days": 2}),
        ('{"city": "Oslo", "days": null}', {"city": "Oslo"}),
    ],
)
def test_arguments_that_fit(text: str, expected: dict[str, object]) -> None:
    assert check_arguments("f", SCHEMA, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "- 'city' is a required property"),
        ('{"city": ', "The arguments of f are not valid JSON"),
        ("[1]", "The arguments of f are not a JSON object."),
        ('{"city": null}', "- city: None is not of type 'string'"),
        ('{"city": "Oslo", "days": "two"}', "- days: 'two' is not of type 'integer'"),
        ('{"city": "Oslo", "places": [{}]}', r"- places\[0\]: 'name' is a required property"),
    ],
)
def test_arguments_that_do_not_fit(text: str, message: str) -> None:
    with pytest.raises(ArgumentsError, match=message):
        check_arguments("f", SCHEMA, text)


def test_a_schema_that_refers_elsewhere_is_the_servers_business() -> None:
    schema = {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:9/schema"}}}
    assert check_arguments("f", schema, '{"x": 1}') == {"x": 1}
