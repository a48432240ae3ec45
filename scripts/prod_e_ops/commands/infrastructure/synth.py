"""`prod-e synth`: every environment's Terraform JSON."""

from prod_e_ops.commands.arguments import Json
from prod_e_ops.context import Context, run
from prod_e_ops.stacks.results import SynthResult
from prod_e_ops.stacks.synthesis import synthesise
from prod_e_ops.terminal.json_output import to_json


def synth(json: Json = False) -> None:
    """Write every environment's Terraform JSON to cdktf.out.

    The same as `cdktf synth` and `python main.py`. Wrong settings leave cdktf.out as it was.

    Example: ./prod-e synth
    """
    run(lambda context: write_stacks(context, as_json=json))


async def write_stacks(context: Context, *, as_json: bool) -> None:
    """Synthesises every environment, and names the stacks where that is asked for."""
    await synthesise(context)
    if as_json:
        project = context.project
        result = SynthResult(
            output_folder=str(project.output_folder),
            stacks={
                name: [stack.name for stack in project.stacks(name)]
                for name in project.environments()
            },
        )
        context.terminal.result(to_json(result))
