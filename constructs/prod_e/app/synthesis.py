"""From environments to the Terraform JSON of their stacks, all of it or nothing."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cdktf import App, TerraformStack

from prod_e.app.environment_stack import EnvironmentStack
from prod_e.app.image_stack import ImageStack
from prod_e.app.registry_stack import RegistryStack
from prod_e.delivery.build_context import BuildContext, read_build_context
from prod_e.dependency_lock import LOCK_FILE, LockedProvider, hand_out, read_lock, registry_of
from prod_e.settings import Environment, SettingsError

MANIFEST = "manifest.json"
"""Of cdktf: which stacks there are."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentStacks:
    """The stacks of one environment; `image` is `None` where Terraform builds no image."""

    environment: Environment
    registry: RegistryStack
    image: ImageStack | None
    main: EnvironmentStack


def synthesise(
    environments: Sequence[Environment],
    *,
    project_folder: Path,
    output_folder: Path,
    keeps_other_stacks: bool = False,
    extend: Callable[[EnvironmentStacks], None] = lambda _: None,
) -> None:
    """Writes every environment's stacks to `output_folder` as cdktf would.

    `project_folder`: what services' `source` folders are relative to. `keeps_other_stacks`: leaves
    what `output_folder` has of other environments, instead of dropping it. `extend`: is called with
    each environment's stacks before they are written, and may add resources to them. The output is
    put together beside `output_folder` and moved there file by file at the end, so that a failure
    leaves what was there; Terraform's own files in the stacks' folders stay, and each stack gets
    its part of the project's dependency lock.

    Raises `SettingsError` if a service's source folder cannot be built, the dependency lock cannot
    be read or the output cannot be written, and `RuntimeError` if a construct's own validation
    finds something.
    """
    project_lock = _read_project_lock(project_folder / LOCK_FILE)
    contexts = _read_contexts(environments, project_folder)
    with _scratch_beside(output_folder) as scratch:
        # Ids without the stack's name keep Terraform addresses short, and the context is given
        # here so that it is the same however the app is started.
        app = App(
            outdir=scratch,
            context={
                "excludeStackIdFromLogicalIds": "true",
                "allowSepCharsInLogicalIds": "true",
            },
            # The stacks are validated below instead: cdktf's own run of the validations also asks
            # the `terraform` on PATH whether it is new enough for `moved` blocks, once for each
            # environment, and fails where there is none. prod-e needs a newer one anyhow, and
            # checks that before it plans.
            skip_validation=True,
        )
        for environment in environments:
            extend(add_stacks(app, environment, contexts[environment.name]))
        for stack in app.node.children:
            if isinstance(stack, TerraformStack):
                stack.run_all_validations()
        app.synth()
        if keeps_other_stacks:
            own = {name for environment in environments for name in environment.names.stacks}
            _add_other_stacks(Path(scratch), output_folder, own=own)
        try:
            _move_into_place(Path(scratch), output_folder)
        except OSError as error:
            raise _not_written(output_folder, error) from None
    hand_out(
        project_lock,
        sorted((output_folder / "stacks").iterdir()),
        registry=registry_of(os.environ.get("TERRAFORM_BINARY_NAME")),
    )


@contextmanager
def _scratch_beside(output_folder: Path) -> Iterator[str]:
    """A folder to write to before all is moved; those that a kill has left are removed."""
    if output_folder.exists() and not output_folder.is_dir():
        raise SettingsError([f"{output_folder}: is not a folder; move it away, stacks go there"])
    beginning = f".{output_folder.name}-"
    try:
        output_folder.parent.mkdir(parents=True, exist_ok=True)
        for left in output_folder.parent.glob(f"{beginning}[0-9]*-*"):
            if not _is_running(int(left.name.removeprefix(beginning).split("-")[0])):
                shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.mkdtemp(prefix=f"{beginning}{os.getpid()}-", dir=output_folder.parent)
    except OSError as error:
        raise _not_written(output_folder, error) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _not_written(output_folder: Path, error: OSError) -> SettingsError:
    return SettingsError(
        [f"{output_folder}: cannot be written: {error.strerror}: {error.filename}"]
    )


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def add_stacks(
    app: App, environment: Environment, contexts: Mapping[str, BuildContext]
) -> EnvironmentStacks:
    """Adds the stacks of one environment to `app`, in the order in which they are deployed.

    `contexts`: the source of each service that Terraform builds, by the service's key.
    """
    registry = RegistryStack(app, environment=environment)
    main = EnvironmentStack(app, environment=environment, contexts=contexts)
    main.add_dependency(registry)
    image = None
    if any(service.is_built for service in environment.services.values()):
        image = ImageStack(app, environment=environment, contexts=contexts)
        image.add_dependency(registry)
        main.add_dependency(image)
    return EnvironmentStacks(environment=environment, registry=registry, image=image, main=main)


def _read_project_lock(file: Path) -> Sequence[LockedProvider]:
    try:
        return read_lock(file)
    except (OSError, ValueError) as error:
        raise SettingsError(
            [
                f"{file.name}: cannot be read: {error}; restore it from the previous commit, or"
                " delete it and let `./prod-e providers lock` make it"
            ]
        ) from None


def _read_contexts(
    environments: Sequence[Environment], project_folder: Path
) -> dict[str, dict[str, BuildContext]]:
    contexts: dict[str, dict[str, BuildContext]] = {}
    mistakes = []
    known: dict[object, BuildContext] = {}
    for environment in environments:
        contexts[environment.name] = {}
        for key, service in environment.services.items():
            if not service.is_built and not service.image_tag.built_from_source:
                continue
            source = environment.source_of(key)
            built_as = (source, service.architecture, tuple(sorted(service.build_args.items())))
            try:
                if built_as not in known:
                    read = read_build_context(
                        project_folder / source,
                        architecture=service.architecture,
                        build_args=service.build_args,
                    )
                    known[built_as] = replace(read, folder=Path(source))
                contexts[environment.name][key] = known[built_as]
            except (ValueError, OSError) as error:
                problem = f"cannot be read ({error})" if isinstance(error, OSError) else str(error)
                mistakes.append(
                    f"{environment.file}: services.{key}.source: {source!r} {problem};"
                    " allowed: a folder of the project with a Dockerfile"
                )
    if mistakes:
        raise SettingsError(mistakes)
    return contexts


def _add_other_stacks(new: Path, output_folder: Path, *, own: Collection[str]) -> None:
    """Names the stacks of `output_folder` that are not `own` in the manifest of `new`, too."""
    try:
        before = json.loads((output_folder / MANIFEST).read_text("utf-8"))["stacks"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # Nothing there can be kept.
    others = {
        name: stack
        for name, stack in before.items()
        if name not in own and (output_folder / "stacks" / name).is_dir()
    }
    if not others:
        return
    manifest = json.loads((new / MANIFEST).read_text("utf-8"))
    manifest["stacks"] |= others
    (new / MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")


def _move_into_place(new: Path, output_folder: Path) -> None:
    """Makes `output_folder` hold what `new` holds, the manifest last, and drops other stacks."""
    stacks = output_folder / "stacks"
    synthesised = set(json.loads((new / MANIFEST).read_text("utf-8"))["stacks"])
    for file in sorted(_files(new), key=lambda path: path.name == MANIFEST):
        destination = output_folder / file.relative_to(new)
        destination.parent.mkdir(parents=True, exist_ok=True)
        if not destination.is_file() or destination.read_bytes() != file.read_bytes():
            file.replace(destination)
    for stack in stacks.iterdir():
        if stack.name not in synthesised:
            shutil.rmtree(stack)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
