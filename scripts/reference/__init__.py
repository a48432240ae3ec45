"""Writes the reference pages from the documentation that stands beside each field and argument."""

import json
from collections.abc import Mapping

from reference.constructs_page import constructs_page
from reference.json_page import json_output_page, json_output_schema
from reference.settings_page import settings_page, settings_schema

SCHEMA_FILE = "docs/settings.schema.json"
JSON_OUTPUT_SCHEMA_FILE = "docs/json-output.schema.json"


def pages() -> Mapping[str, str]:
    """The text of each generated file, by its path from the project's root."""
    schema = settings_schema()
    results = json_output_schema()
    return {
        SCHEMA_FILE: json.dumps(schema, indent=2) + "\n",
        "docs/settings.md": "\n".join(settings_page(schema)) + "\n",
        JSON_OUTPUT_SCHEMA_FILE: json.dumps(results, indent=2) + "\n",
        "docs/json-output.md": "\n".join(json_output_page(results)) + "\n",
        "docs/constructs.md": "\n".join(constructs_page()) + "\n",
    }
