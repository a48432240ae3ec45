"""Writes the reference pages from the documentation that stands beside each field and argument."""

import json
from collections.abc import Mapping

from reference.constructs_page import constructs_page
from reference.settings_page import settings_page, settings_schema

SCHEMA_FILE = "docs/settings.schema.json"


def pages() -> Mapping[str, str]:
    """The text of each generated file, by its path from the project's root."""
    schema = settings_schema()
    return {
        SCHEMA_FILE: json.dumps(schema, indent=2) + "\n",
        "docs/settings.md": "\n".join(settings_page(schema)) + "\n",
        "docs/constructs.md": "\n".join(constructs_page()) + "\n",
    }
