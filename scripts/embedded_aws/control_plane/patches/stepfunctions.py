"""Step Functions."""

import uuid
from typing import Any

from botocore.session import get_session
from moto.core.config import default_user_config
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
)
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse


def apply() -> None:
    _step_functions_executes()
    _step_functions_names_executions()
    _step_functions_calls_any_action()
    _step_functions_names_the_errors_of_ecs()
    _step_functions_validates_definitions()
    _step_functions_lists_versions()
    _step_functions_says_what_it_logs()


def _step_functions_executes() -> None:
    # moto can; unless told, an execution of it only looks as if it had taken place.
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def _step_functions_names_executions() -> None:
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    start = StepFunctionsParserBackend.start_execution

    def start_execution(
        self: Any, state_machine_arn: str, name: str | None = None, *others: Any, **named: Any
    ) -> Any:
        return start(self, state_machine_arn, name or str(uuid.uuid4()), *others, **named)

    StepFunctionsParserBackend.start_execution = start_execution


def _step_functions_calls_any_action() -> None:
    # Parameters and answers of every service are in PascalCase, whatever its own API has:
    # https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    def action(task: Any) -> Any:
        service = get_session().get_service_model(task.resource.api_name)
        name = task.resource.api_action.lower()
        operation = next(each for each in service.operation_names if each.lower() == name)
        return service.operation_model(operation)

    def normalise_parameters(self: Any, parameters: Any, *_: Any, **__: Any) -> None:
        self._to_boto_request(parameters, action(self).input_shape)

    def normalise_response(self: Any, response: Any, *_: Any, **__: Any) -> None:
        self._from_boto_response(response, action(self).output_shape)

    task_type = state_task_service_aws_sdk.StateTaskServiceAwsSdk
    setattr(task_type, "_normalise_parameters", normalise_parameters)  # noqa: B010 private to moto
    setattr(task_type, "_normalise_response", normalise_response)  # noqa: B010


def _step_functions_names_the_errors_of_ecs() -> None:
    # `Ecs.ServiceNotFoundException`, where moto has the prefix of the resource's ARN, `ecs`:
    # https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    state_task_service_aws_sdk._SERVICE_ERROR_NAMES["ecs"] = "Ecs"  # noqa: SLF001 private to moto


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


def _step_functions_says_what_it_logs() -> None:
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_LoggingConfiguration.html
    describe = StepFunctionResponse.describe_state_machine

    def describe_state_machine(self: Any) -> ActionResult:
        answer = describe(self)
        logging = answer.result["loggingConfiguration"]
        answer.result["loggingConfiguration"] = {"includeExecutionData": False, **logging}
        return answer

    StepFunctionResponse.describe_state_machine = describe_state_machine
