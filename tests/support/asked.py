"""A `prod-e` that asks its questions on a terminal, and gets answers."""

import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.project_folder import PROD_E

DEADLINE_SECONDS = 400


class Asked:
    """One run of the command; a test that fails while it runs ends it."""

    def __init__(self, folder: Path, *arguments: str, variables: Mapping[str, str]) -> None:
        ours, its = pty.openpty()
        self._terminal = ours
        self._process = subprocess.Popen(
            [PROD_E, *arguments],
            cwd=folder,
            env={**variables, "VIRTUAL_ENV": sys.prefix, "COLUMNS": "200", "TERM": "dumb"},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        self._said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(60)
        self._reader.join(60)
        os.close(self._terminal)

    @property
    def said(self) -> str:
        """All that it has written until now, without what only moves the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._said).replace("\r", "")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.said:
            assert self._process.poll() is None or text in self.said, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def answer(self, text: str) -> None:
        os.write(self._terminal, f"{text}\n".encode())

    def end(self) -> int:
        """Its exit status."""
        status = self._process.wait(DEADLINE_SECONDS)
        self._reader.join(60)
        return status

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self._terminal, 4096)
            except OSError:
                return  # Linux says so when the last program has left the terminal.
            if not read:
                return
            self._said += read.decode("utf-8", "replace")
