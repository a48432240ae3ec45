"""A `prod-e` that asks its questions on a terminal, and gets answers."""

import io
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pexpect

from tests.support.command.forked_command import PROD_E

DEADLINE_SECONDS = 400


class Asked:
    """One run of the command, whose terminal shows both of its streams.

    A test that fails while it runs ends it.
    """

    def __init__(self, folder: Path, *arguments: str, variables: Mapping[str, str]) -> None:
        self._screen = io.StringIO()
        self._child = pexpect.spawn(
            str(PROD_E),
            list(arguments),
            cwd=str(folder),
            env={**variables, "VIRTUAL_ENV": sys.prefix, "COLUMNS": "80", "TERM": "dumb"},
            dimensions=(24, 80),
            timeout=DEADLINE_SECONDS,
            encoding="utf-8",
            codec_errors="replace",
        )
        self._child.logfile_read = self._screen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close(force=True)

    @property
    def said(self) -> str:
        """All that it has written until now, without what only moves the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._screen.getvalue()).replace("\r", "")

    def wait_for(self, text: str) -> None:
        """Waits until it has written a text after those waited for before."""
        try:
            self._child.expect_exact(text)
        except (pexpect.EOF, pexpect.TIMEOUT) as ended:
            raise AssertionError(f"{text!r} is not in: {self.said}") from ended

    def answer(self, text: str) -> None:
        """Types a line."""
        self._child.sendline(text)

    def type(self, text: str) -> None:
        """Types these characters, and no more."""
        self._child.send(text)

    def end(self) -> int:
        """Waits for its end; gives its exit status."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        status = self._child.exitstatus
        assert status is not None, f"a signal ended it: {self._child.signalstatus}"
        return int(status)
