"""What Docker writes while it builds: the step that it is at, what it warns of, why one failed.

BuildKit's plain form begins each line with the number of a step: `#8 [build 3/5] RUN npm ci`, then
`#8 1.234 output`, and in the end `#8 DONE 2.0s` or `#8 ERROR: ...`.
https://docs.docker.com/reference/cli/docker/buildx/build/#progress
The builder before it begins a step with `Step 5/22 : RUN npm ci`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"#(\d+) (.*)")
_CLASSIC_STEP = re.compile(r"(Step \d+/\d+) : (.*)")
_NAME = re.compile(r"\[[^\]]+\]")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")
_ERROR = "ERROR: "
_WARNING = "WARNING: "

_LINES_SHOWN = 20
_POLL_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True)
class FailedStep:
    """A step of a build that did not succeed.

    `name`: as BuildKit calls it, such as `[build 3/5] RUN npm ci`. `output`: the last lines of what
    it wrote. `reason`: BuildKit's own, such as an exit status.
    """

    name: str
    output: tuple[str, ...]
    reason: str


def failed_step(log: str) -> FailedStep | None:
    """The step that ended a build; None if none did."""
    names: dict[str, str] = {}
    output: dict[str, list[str]] = {}
    for line in log.splitlines():
        parsed = _LINE.fullmatch(line)
        if parsed is None:
            continue
        number, text = parsed.groups()
        if text.startswith(_ERROR):
            return FailedStep(
                name=names.get(number, f"step {number}"),
                output=tuple(output.get(number, ())[-_LINES_SHOWN:]),
                reason=text.removeprefix(_ERROR),
            )
        if _NAME.match(text):
            names.setdefault(number, text)
        elif (written := _OUTPUT.fullmatch(text)) and written[1].strip():
            output.setdefault(number, []).append(written[1].rstrip())
    return None


def step_begun(line: str) -> str | None:
    """The name of the step that a line says has begun; None if it says something else.

    What BuildKit does for itself, such as reading the Dockerfile, is no step of the user's.
    """
    if classic := _CLASSIC_STEP.fullmatch(line):
        return f"{classic[1]}: {classic[2]}"
    parsed = _LINE.fullmatch(line)
    if parsed is None or not _NAME.match(parsed[2]) or parsed[2].startswith("[internal]"):
        return None
    return parsed[2]


def warnings_of(log: str) -> Sequence[str]:
    """What the steps of a build warned of, each once: lines that begin with `WARNING: `."""
    found: dict[str, None] = {}
    for line in log.splitlines():
        parsed = _LINE.fullmatch(line)
        written = _OUTPUT.fullmatch(parsed[2]) if parsed else None
        text = written[1] if written else line
        if text.startswith(_WARNING):
            found[text.removeprefix(_WARNING).strip()] = None
    return tuple(found)


@asynccontextmanager
async def following(logs: Mapping[str, Path], show: Callable[[str], object]) -> AsyncIterator[None]:
    """Shows each step of several builds as it begins, while the body runs.

    `logs`: by the name of what is built. They are begun anew: BuildKit appends to what is there.
    """
    for file in logs.values():
        file.unlink(missing_ok=True)
    task = asyncio.create_task(_follow(logs, show))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _follow(logs: Mapping[str, Path], show: Callable[[str], object]) -> None:
    read = dict.fromkeys(logs, 0)
    while True:
        for name, file in logs.items():
            with suppress(FileNotFoundError):
                lines = file.read_text("utf-8", "replace").splitlines()
                # The last one may not be complete yet; it is read again.
                for line in lines[read[name] : -1]:
                    if step := step_begun(line):
                        show(f"{name}: {step}")
                read[name] = max(len(lines) - 1, read[name])
        await asyncio.sleep(_POLL_SECONDS)
