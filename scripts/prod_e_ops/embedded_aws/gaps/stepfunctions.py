"""Step Functions."""

from typing import Any

from moto.core.config import default_user_config
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
)
from moto.stepfunctions.responses import StepFunctionResponse


def fill_gaps() -> None:
    _step_functions_executes()
    _step_functions_validates_definitions()
    _step_functions_lists_versions()


def _step_functions_executes() -> None:
    # moto can; unless told, an execution of it only looks as if it had taken place.
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def _step_functions_validates_definitions() -> None:
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
    def validate_state_machine_definition(self: Any) -> ActionResult:
        try:
            AmazonStateLanguageParser.parse(self._get_param("definition"))
        except (ASLParserException, ValueError) as error:
            diagnostic = {
                "severity": "ERROR",
                "code": "SCHEMA_VALIDATION_FAILED",
                "message": str(error),
            }
            answer: dict[str, Any] = {"result": "FAIL", "diagnostics": [diagnostic]}
        else:
            answer = {"result": "OK", "diagnostics": []}
        return ActionResult({**answer, "truncated": False})

    StepFunctionResponse.validate_state_machine_definition = validate_state_machine_definition


def _step_functions_lists_versions() -> None:
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineVersions.html
    def list_state_machine_versions(self: Any) -> ActionResult:
        return ActionResult({"stateMachineVersions": []})

    StepFunctionResponse.list_state_machine_versions = list_state_machine_versions
