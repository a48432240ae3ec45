"""How long synthesis takes, and how much memory, against stock cdktf on the same stacks.

Every figure is of one run of this program; what is judged are ratios between them. Exit status 1:
ours takes more than 1/8 of stock's time or 1/3 of its memory, or grows faster than linearly.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

MOST_TIME = 1 / 8
MOST_MEMORY = 1 / 3
GROWTH = (1, 2, 5, 10, 25, 50)

PROGRAM = """
import sys
from pathlib import Path
import prod_e
prod_e.enable_fast_imports()
from prod_e import load_environments, synthesise

folder = Path(sys.argv[1])
synthesise(
    load_environments(folder / "environments"), project_folder=folder, output_folder=folder / "out"
)
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One synthesis: its wall time, and the peak memory of Python and Node together."""

    seconds: float
    memory_mib: float


def memory_mib_of_group(group: int) -> float:
    total = 0.0
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(process.pid) == group:
                total += process.memory_info().rss / 2**20
    return total


def run(folder: Path, *, stock: bool) -> Run:
    variables = {**os.environ, "PROD_E_STOCK_SYNTHESIS": "1" if stock else "0"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder], env=variables, start_new_session=True
    )
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, memory_mib_of_group(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if status:
        sys.exit(f"Synthesis failed with status {status}.")
    return Run(seconds=seconds, memory_mib=peak)


def median(folder: Path, *, stock: bool, runs: int) -> Run:
    found = [run(folder, stock=stock) for _ in range(runs)]
    return Run(
        seconds=statistics.median(r.seconds for r in found),
        memory_mib=statistics.median(r.memory_mib for r in found),
    )


def make_project(folder: Path, environments: int) -> Path:
    (folder / "environments").mkdir(parents=True)
    (folder / "backend").mkdir()
    (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
    for number in range(environments):
        (folder / "environments" / f"e{number}.toml").write_text(
            f'name = "e{number}"\n[services.backend]\n[database]\n'
            f'[network]\ncidr = "10.{number}.0.0/16"\nnat_gateways = "single"\n'
        )
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        two = make_project(Path(scratch, "two"), 2)
        # The first run of each lets jsii fill its cache.
        print("Ours and stock cdktf, two environments ...", file=sys.stderr)
        run(two, stock=False)
        ours = median(two, stock=False, runs=5)
        stock = median(two, stock=True, runs=2)
        growth: dict[int, Run] = {}
        for count in GROWTH:
            print(f"Ours, {count} environments ...", file=sys.stderr)
            project = make_project(Path(scratch, f"grow{count}"), count)
            growth[count] = median(project, stock=False, runs=3 if count < 10 else 1)
    time_ratio = ours.seconds / stock.seconds
    memory_ratio = ours.memory_mib / stock.memory_mib
    first, last = min(GROWTH), max(GROWTH)
    growth_ratio = growth[last].seconds / growth[first].seconds / (last / first)
    passed = time_ratio <= MOST_TIME and memory_ratio <= MOST_MEMORY and growth_ratio <= 1
    if arguments.json:
        result = {
            "ours": asdict(ours),
            "stock": asdict(stock),
            "time_ratio": time_ratio,
            "memory_ratio": memory_ratio,
            "growth": {count: asdict(found) for count, found in growth.items()},
            "growth_ratio": growth_ratio,
            "passed": passed,
        }
        print(json.dumps(result, indent=2))
        return 0 if passed else 1
    print(f"{'':28}{'seconds':>9}{'MiB':>8}")
    print(f"{'ours, 2 environments':28}{ours.seconds:9.2f}{ours.memory_mib:8.0f}")
    print(f"{'stock cdktf, the same':28}{stock.seconds:9.2f}{stock.memory_mib:8.0f}")
    print(f"{'ratio':28}{time_ratio:9.3f}{memory_ratio:8.3f}")
    print(f"{'at most':28}{MOST_TIME:9.3f}{MOST_MEMORY:8.3f}\n")
    for count, found in growth.items():
        print(f"{f'ours, {count} environments':28}{found.seconds:9.2f}{found.memory_mib:8.0f}")
    print(f"{f'{last} against {last} times {first}':28}{growth_ratio:9.3f}   (at most 1)")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
