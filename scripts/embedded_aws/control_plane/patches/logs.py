"""CloudWatch Logs."""

import json
import uuid
from typing import Any

from moto.logs.responses import LogsResponse


def apply() -> None:
    _logs_keeps_query_definitions()


def _logs_keeps_query_definitions() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
    def definitions_of(self: Any) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = vars(self.logs_backend).setdefault("definitions", {})
        return kept

    def put_query_definition(self: Any) -> str:
        id = self._get_param("queryDefinitionId") or str(uuid.uuid4())
        definitions_of(self)[id] = {
            "queryDefinitionId": id,
            "queryLanguage": "CWLI",
            "name": self._get_param("name"),
            "queryString": self._get_param("queryString"),
            "logGroupNames": self._get_param("logGroupNames") or [],
        }
        return json.dumps({"queryDefinitionId": id})

    def describe_query_definitions(self: Any) -> str:
        prefix = self._get_param("queryDefinitionNamePrefix") or ""
        known = definitions_of(self).values()
        return json.dumps({"queryDefinitions": [d for d in known if d["name"].startswith(prefix)]})

    def delete_query_definition(self: Any) -> str:
        found = definitions_of(self).pop(self._get_param("queryDefinitionId"), None)
        return json.dumps({"success": found is not None})

    LogsResponse.put_query_definition = put_query_definition
    LogsResponse.describe_query_definitions = describe_query_definitions
    LogsResponse.delete_query_definition = delete_query_definition
