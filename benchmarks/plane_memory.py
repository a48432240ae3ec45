"""How much memory the planes of an embedded AWS take while it runs, and whether that grows."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from embedded_aws import EmbeddedAws

SAMPLED_EVERY_SECONDS = 2.0
MOST_GROWTH_MIB = 0.5
"""A minute, after the first third of the time, in which all that is loaded later is loaded."""


@dataclass(kw_only=True)
class Memory:
    """Resident memory of the planes' processes, in MiB, over the time in seconds."""

    aws: EmbeddedAws
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def measured(self) -> Iterator[None]:
        thread = threading.Thread(target=self._measure, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _measure(self) -> None:
        began = time.monotonic()
        pids = {"control plane": self.aws.control_plane_pid, "data plane": self.aws.data_plane_pid}
        while not self._is_over.wait(SAMPLED_EVERY_SECONDS):
            for plane, pid in pids.items():
                used = psutil.Process(pid).memory_info().rss / 2**20
                self.samples.setdefault(plane, []).append((time.monotonic() - began, used))


@dataclass(frozen=True, kw_only=True)
class Plane:
    """`growth`: MiB a minute, after the first third of the time."""

    plane: str
    first_mib: float
    last_mib: float
    growth: float

    @classmethod
    def of(cls, plane: str, samples: Sequence[tuple[float, float]]) -> "Plane":
        later = samples[len(samples) // 3 :]
        slope = statistics.linear_regression([t for t, _ in later], [mib for _, mib in later]).slope
        return cls(
            plane=plane,
            first_mib=round(samples[0][1], 1),
            last_mib=round(samples[-1][1], 1),
            growth=round(60 * slope, 2),
        )
