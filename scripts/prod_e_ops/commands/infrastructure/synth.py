"""`prod-e synth`: every environment's Terraform JSON."""

from prod_e_ops.commands.arguments import Json, OneEnvironmentOption
from prod_e_ops.context import Context, run
from prod_e_ops.stacks.results import SynthResult
from prod_e_ops.stacks.synthesis import synthesise
from prod_e_ops.terminal.json_output import to_json


def synth(environment: OneEnvironmentOption = None, json: Json = False) -> None:
    """Write every environment's Terraform JSON to cdktf.out.

    The same as `cdktf synth` and `python main.py`. Wrong settings leave cdktf.out as it was. Of one
    environment alone, what is there of the others stays.

    Example: ./prod-e synth
    """
    run(lambda context: write_stacks(context, environment, as_json=json))


async def write_stacks(context: Context, environment_name: str | None, *, as_json: bool) -> None:
    """Synthesises one environment or all, and names the stacks where that is asked for."""
    project = context.project
    if environment_name:
        environment_name = project.environment(environment_name).name
    await synthesise(context, environment_name)
    if as_json:
        names = [environment_name] if environment_name else project.environments()
        result = SynthResult(
            output_folder=str(project.output_folder),
            stacks={name: [stack.name for stack in project.stacks(name)] for name in names},
        )
        context.terminal.result(to_json(result))
