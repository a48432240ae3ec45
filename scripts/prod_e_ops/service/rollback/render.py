"""What a rollback came to, for people, and what comes next."""

from collections.abc import Iterator

from prod_e.delivery.image_tag import commit_in
from prod_e_ops.images.inventory import ServiceImages, short_digest
from prod_e_ops.images.render import named, shown_use
from prod_e_ops.project.settings_edit import SettingsEdit
from prod_e_ops.service.model import Deployment
from prod_e_ops.service.render import shown_minute
from prod_e_ops.service.rollback.state import ServiceState
from prod_e_ops.service.rollback.target import RollbackTarget

_MOST_SHOWN = 15


def candidate_rows(state: ServiceState) -> Iterator[tuple[str, ...]]:
    """For people: what runs, and what can be gone back to with its number in the list."""
    yield "#", "DIGEST", "PUSHED (UTC)", "HEALTHY (UTC)", "USE", "DEFINITION; TAGS"
    candidates = state.candidates
    shown = [use for use in state.found.uses if use.runs or use in candidates]
    for use in shown[:_MOST_SHOWN]:
        yield (
            str(candidates.index(use) + 1) if use in candidates else "",
            short_digest(use.image.digest),
            shown_minute(use.image.pushed_at),
            shown_minute(use.healthy_at) if use.healthy_at else "never",
            shown_use(use, state.found),
            named(use),
        )


def never_healthy(found: ServiceImages, target: RollbackTarget) -> str | None:
    """A warning of an image that no deployment is known to have brought to health; None: one has.

    ECS keeps its record for 90 days.
    """
    image = target.image
    use = next((u for u in found.uses if image and u.image.digest == image.digest), None)
    if use is None or use.healthy_at:
        return None
    so_far = "its newest deployment failed" if use.has_failed else "ECS has never deployed it"
    return f"Warning: {use.name} is not known to have been healthy: {so_far}."


def result_line(
    state: ServiceState, target: RollbackTarget, deployment: Deployment | None
) -> str | None:
    """What was done, in a line; None: nothing was. `deployment`: None if none was needed."""
    if deployment is not None:
        return f"{state.deployments.names.service} runs {target.name}."
    change = target.change
    return f'{change.file.name}: image_tag = "{change.new_value}"' if change else None


def next_steps(state: ServiceState, target: RollbackTarget) -> Iterator[str]:
    """Says how the service goes forward again."""
    change, image = target.change, target.image
    environment = state.deployments.environment
    if change:
        tags = image.tags if image else ()
        commits = [commit for tag in tags if (commit := commit_in(tag))]
        commit = f" (commit {', '.join(commits)})" if commits else ""
        yield (
            f"{environment.file} pins {change.new_value}{commit} now: commit it, and the next"
            f" deployment keeps it. `{_as_setting(change)}` goes forward again."
        )
    elif target.definition:
        yield (
            "The settings are as they were: the next deployment goes forward again, unless"
            f" {environment.file} is changed."
        )
    else:
        yield "The next push or deployment of a changed source goes forward again."
    if target.definition and change:
        yield "Other settings of that revision go forward with the next deployment."


def _as_setting(change: SettingsEdit) -> str:
    return f'image_tag = "{change.old_value}"' if change.old_value else "Leaving image_tag out"
