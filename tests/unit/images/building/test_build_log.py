"""What is read from the log that BuildKit writes: Docker 20.10 through the docker provider."""

import asyncio
from pathlib import Path

import pytest

from prod_e_ops.images.docker.build_log import (
    FailedStep,
    failed_step,
    following,
    step_begun,
    warnings_of,
)

BUILT = """#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 155B done
#1 DONE 0.1s

#5 [builder 1/3] FROM docker.io/library/node:16-slim
#5 CACHED

#7 [builder 3/3] RUN npm run build
#7 0.120 compiling
#7 0.129 done
#7 DONE 0.2s

#8 exporting to image
#8 writing image sha256:604574d2701680a1de12ed5693afd33266aa83952b51a9695692c083f1c0956f done
#8 DONE 0.1s
"""

FAILED = """#7 [builder 3/3] RUN npm run build
#7 0.120 compiling
#7 1.767 src/main.ts(3,7): error TS2322: wrong type
#7 1.767
#7 ERROR: executor failed running [/bin/sh -c npm run build]: exit code: 2
------
 > [builder 3/3] RUN npm run build:
1.767 src/main.ts(3,7): error TS2322: wrong type
------
"""


def test_a_build_that_succeeded_has_no_failed_step() -> None:
    assert failed_step(BUILT) is None


def test_a_failed_step_has_its_name_its_own_output_and_the_reason() -> None:
    assert failed_step(BUILT.replace("#7", "#9") + FAILED) == FailedStep(
        name="[builder 3/3] RUN npm run build",
        output=("compiling", "src/main.ts(3,7): error TS2322: wrong type"),
        reason="executor failed running [/bin/sh -c npm run build]: exit code: 2",
    )


@pytest.mark.parametrize("written", ["#7 0.120 WARNING: it is old.\n", "WARNING: it is old.\n"])
def test_what_a_step_warns_of_is_found_once_and_the_step_itself_is_none(written: str) -> None:
    named = "#7 [2/2] RUN echo 'WARNING: it is old.'\nStep 2/2 : RUN echo 'WARNING: it is old.'\n"
    assert warnings_of(BUILT + named) == ()
    assert warnings_of(BUILT + named + written * 2) == ("it is old.",)


def test_of_much_output_the_end_is_kept() -> None:
    lines = "".join(f"#7 0.5 line {number}\n" for number in range(100))
    failed = failed_step(f"#7 [2/2] RUN make\n{lines}#7 ERROR: exit code: 1\n")
    assert failed is not None
    assert failed.output == tuple(f"line {number}" for number in range(80, 100))


def test_a_base_image_that_cannot_be_had_is_a_failed_step() -> None:
    failed = failed_step(
        "#3 [internal] load metadata for docker.io/library/node:16-slim\n"
        "#3 ERROR: failed to do request: no such host\n"
    )
    assert failed is not None
    assert failed.name == "[internal] load metadata for docker.io/library/node:16-slim"
    assert failed.reason == "failed to do request: no such host"


def test_the_users_steps_are_shown_and_no_others() -> None:
    steps = [step for line in BUILT.splitlines() if (step := step_begun(line))]
    assert steps == [
        "[builder 1/3] FROM docker.io/library/node:16-slim",
        "[builder 3/3] RUN npm run build",
    ]


def test_a_step_of_the_classic_builder_is_shown_with_its_number() -> None:
    assert step_begun("Step 5/22 : RUN npm ci") == "Step 5/22: RUN npm ci"
    assert step_begun("added 411 packages in 12s") is None


def test_steps_are_shown_as_they_begin_and_those_of_an_earlier_build_are_not(
    tmp_path: Path,
) -> None:
    log = tmp_path / "api-image.log"
    log.write_text("#7 [1/1] RUN earlier\n")

    async def build() -> str:
        shown: asyncio.Queue[str] = asyncio.Queue()
        async with following({"api": log}, shown.put_nowait):
            log.write_text("#7 [builder 3/3] RUN npm run build\n#7 0.1 half a li")
            return await shown.get()

    assert asyncio.run(build()) == "api: [builder 3/3] RUN npm run build"


@pytest.mark.parametrize("line", ["", "#7 DONE 0.2s", "#7 0.1 [not a step]", "------"])
def test_other_lines_begin_no_step(line: str) -> None:
    assert step_begun(line) is None
