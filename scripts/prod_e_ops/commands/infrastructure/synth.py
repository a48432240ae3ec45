"""`prod-e synth`: every environment's Terraform JSON."""

from prod_e_ops.context import run
from prod_e_ops.stacks.synthesis import synthesise


def synth() -> None:
    """Write every environment's Terraform JSON to cdktf.out.

    The same as `cdktf synth` and `python main.py`. Wrong settings leave cdktf.out as it was.

    Example: npm run synth
    """
    run(synthesise)
