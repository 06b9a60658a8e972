#!/usr/bin/env python3
"""Checks that every body in an OpenAPI description has an example, and that examples are what their schemas say."""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1]) as file:
    API = json.load(file)


def examples(place):
    """All examples of a parameter or body."""
    if "example" in place:
        yield place["example"]
    for example in place.get("examples", {}).values():
        if "$ref" in example:
            example = API["components"]["examples"][example["$ref"].rsplit("/", 1)[1]]
        yield example["value"]


def places(operation):
    """The bodies and parameters of an operation, by name."""
    for status, answer in [("request", operation.get("requestBody", {})), *operation["responses"].items()]:
        for kind, content in answer.get("content", {}).items():
            yield f"{status} {kind}", content, True
    for parameter in operation.get("parameters", []):
        yield parameter["name"], parameter, False


checked, wrong = 0, []
for path, item in API["paths"].items():
    for method, operation in item.items():
        for name, place, needed in places(operation):
            # With the components beside it, so that its references lead somewhere.
            schema = {**place["schema"], "components": API["components"]}
            validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
            given = list(examples(place))
            checked += len(given)
            if needed and not given:
                wrong.append(f"{method} {path} {name}: has no example")
            for example in given:
                wrong += [f"{method} {path} {name}: {error.message}" for error in validator.iter_errors(example)]
if wrong:
    sys.exit("\n".join(wrong))
print(f"{sys.argv[1]}: {checked} examples are what their schemas say")
