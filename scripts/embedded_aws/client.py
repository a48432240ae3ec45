"""Starts and stops the embedded AWS, and tells other programs how to reach it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.request import urlopen

from embedded_aws.control_plane.overview.page import picture_file
from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane_process import DataPlane, DataPlaneProcess
from embedded_aws.whole_file import write_whole

ACCOUNT_ID = "123456789012"
"""The account that moto plays unless told otherwise."""

DEFAULT_REGION = "us-west-2"

NEXT_DEPLOYMENT_STEPS_PATH = "/_embedded/next-deployment-steps"
"""Where the server is told to go on; no path of AWS's."""
ALARM_BAKE_SECONDS_PATH = "/_embedded/alarm-bake-seconds"
"""Where it is told for how long to watch a deployment's alarms; none of AWS's either."""

_ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""For glibc: each thread has a heap of its own otherwise, and each connection a thread.

All but one wait for moto's state anyway, and what one frees the next one takes.

https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html
"""

_START_TIMEOUT_SECONDS = 60
_STOP_TIMEOUT_SECONDS = 5

_OWN_VARIABLES = ("AWS_", "TF_AWS_", "MOTO_")
"""Prefixes of the variables that could send a program to another AWS than this one."""


class EmbeddedAwsError(Exception):
    """The embedded AWS did not start; the message has what it printed."""


class EmbeddedAws:
    """A context manager around a moto server on a free port of the loopback interface.

    The server is a child process that ends when its standard input closes, so it cannot outlive
    this one, however this one ends. It is not in this process's group: Ctrl-C in a terminal leaves
    it up for the Terraform that is then tidying up, and the end of the `with` block stops it.
    Each instance starts empty, and any number of them can run side by side.

    `region`: what other programs are told to use. `account_id`: twelve digits.
    `port`: 0 takes any. `registry_host`: what ECR calls its registry, of the repositories in
    `region`, where something stands between it and its clients; default: `registry_address`.
    `data_plane`: runs tasks, load balancers and databases for real; default:
    they are only noted down, and `deployment_seconds` is how long a deployment of an ECS service
    seems to take; `math.inf`: it goes on when `take_deployment_steps` is called, and at no other
    time. `alarm_bake_seconds`: for how long the alarms of a deployment are watched after its last
    task runs; AWS takes minutes, by the alarms' periods.

    Raises `EmbeddedAwsError` on entry if the server does not start.
    """

    def __init__(
        self,
        *,
        region: str = DEFAULT_REGION,
        account_id: str = ACCOUNT_ID,
        deployment_seconds: float = 0,
        registry_host: str | None = None,
        port: int = 0,
        data_plane: DataPlane | None = None,
        alarm_bake_seconds: float = 0,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self.deployment_seconds = deployment_seconds
        self.registry_host = registry_host
        self.port = port
        self.data_plane = data_plane
        self.alarm_bake_seconds = alarm_bake_seconds
        self.endpoint_url = ""
        self.registry_address = ""
        """Host and port of ECR's registry, which takes HTTP and TLS."""
        self._state_folder: Path | None = None
        self._data_plane_process: DataPlaneProcess | None = None
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._reader: threading.Thread | None = None
        self._ready = threading.Event()
        self._unimplemented: set[str] = set()
        self._failed: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def variables(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment variables that lead a program here, such as one would export.

        A proxy that `base` (default: this process's environment) names is not asked for it.
        """
        base = os.environ if base is None else base
        return {
            **{
                name: ",".join(filter(None, (base.get(name), "127.0.0.1")))
                for name in ("NO_PROXY", "no_proxy")
            },
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "embedded",
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # The user's profiles must not come in; there is nothing to read in these.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            # What fails here fails again: a retry only costs time.
            "AWS_MAX_ATTEMPTS": "2",
        }

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """The complete environment for a program that shall reach this AWS and no other.

        `base` (default: this process's environment) is taken over without any variable that names
        a profile, credentials, a role or an endpoint of some other AWS. Pass the result to a
        subprocess as it is; merged over the user's environment, a profile would come back.
        """
        kept = without_any_aws(os.environ if base is None else base)
        return {**kept, **self.variables(kept), "CHECKPOINT_DISABLE": "1"}

    def take_deployment_steps(self, count: int = 1) -> None:
        """Takes the next steps of every ECS deployment that is under way, at once.

        A deployment has two: its tasks run, or fail; then it is completed, or rolled back.
        """
        for _ in range(count):
            url = f"{self.endpoint_url}{NEXT_DEPLOYMENT_STEPS_PATH}"
            urlopen(url, data=b"", timeout=30).close()  # noqa: S310

    def watch_alarms_for(self, seconds: float) -> None:
        """Changes `alarm_bake_seconds`, for deployments whose last task does not run yet."""
        url = f"{self.endpoint_url}{ALARM_BAKE_SECONDS_PATH}"
        urlopen(url, data=str(float(seconds)).encode(), timeout=30).close()  # noqa: S310
        self.alarm_bake_seconds = seconds

    @property
    def certificate_authority_file(self) -> Path:
        """The certificate to trust for ECR's registry, HTTPS listeners and databases."""
        from embedded_aws.certificates import CertificateAuthority

        assert self._state_folder is not None, "the embedded AWS has not started"
        file = self._state_folder / "certificate-authority.pem"
        CertificateAuthority(file)
        return file

    def listeners(self) -> list[dict[str, Any]]:
        """Where on this machine each listener is: `load_balancer`, `port`, `url` and `arn`."""
        with urlopen(f"{self.endpoint_url}/_embedded/listeners", timeout=30) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)
        return found

    @property
    def page_url(self) -> str:
        """Where a browser sees what runs; there is none without a data plane."""
        return f"{self.endpoint_url}/_embedded/"

    def show_picture(self, svg: str) -> None:
        """Has the page show a picture of the architecture.

        A shape with the attribute `data-name` is coloured by how what bears that name in AWS fares.
        """
        assert self._state_folder is not None, "the embedded AWS has not started"
        write_whole(picture_file(self._state_folder), svg)

    @property
    def tasks_run(self) -> str | None:
        """On what, in words; None without a data plane, or before it knows."""
        if self.data_plane is None or self._state_folder is None:
            return None
        with suppress(FileNotFoundError):
            return Configuration.words_in(self._state_folder).read_text("utf-8") or None
        return None

    @property
    def control_plane_pid(self) -> int | None:
        """The number of the control plane's process."""
        return self._process.pid if self._process else None

    @property
    def data_plane_pid(self) -> int | None:
        """The number of the data plane's process, which changes when it is started again."""
        return self._data_plane_process.pid if self._data_plane_process else None

    @property
    def unimplemented_calls(self) -> tuple[str, ...]:
        """The API actions, as `service.Action`, that were asked for and do not exist here."""
        return tuple(sorted(self._unimplemented))

    @property
    def failed_calls(self) -> tuple[str, ...]:
        """The calls on which the server itself broke, in order, with the error of each."""
        return tuple(self._failed)

    def _start(self) -> None:
        self._state_folder = Path(tempfile.mkdtemp(prefix="embedded-aws-"))
        # PostgreSQL may run as somebody else, and has its own folder in it.
        self._state_folder.chmod(0o711)
        # Nameless, so that nothing is left lying about even after a SIGKILL.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 `_stop` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "embedded_aws.control_plane.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={
                **_ONE_HEAP,
                **without_any_aws(os.environ),
                "MOTO_ACCOUNT_ID": self.account_id,
                "EMBEDDED_AWS_PORT": str(self.port),
                "EMBEDDED_AWS_DATA_PLANE": "1" if self.data_plane else "",
                "MOTO_ECS_DEPLOYMENT_SECONDS": str(self.deployment_seconds),
                # Roles attach them, such as AmazonECSTaskExecutionRolePolicy.
                "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
                "EMBEDDED_AWS_REGION": self.region,
                "EMBEDDED_AWS_ALARM_BAKE_SECONDS": str(self.alarm_bake_seconds),
                "EMBEDDED_AWS_REGISTRY_HOST": self.registry_host or "",
                "EMBEDDED_AWS_STATE_FOLDER": str(self._state_folder),
            },
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_events, daemon=True)
        self._reader.start()
        if not self._ready.wait(_START_TIMEOUT_SECONDS) or not self.endpoint_url:
            self._errors.seek(0)
            raise EmbeddedAwsError(f"The embedded AWS did not start:\n{self._errors.read()}")
        if self.data_plane:
            self._data_plane_process = DataPlaneProcess(
                self.data_plane.configuration(
                    endpoint_url=self.endpoint_url,
                    account_id=self.account_id,
                    region=self.region,
                    state_folder=self._state_folder,
                ),
                environment=without_any_aws(os.environ),
            )
            self._data_plane_process.start()

    def _read_events(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # Something else has printed it: a library that warns, say.
            if not isinstance(event, dict):
                continue
            if "endpoint_url" in event:
                self.registry_address = event["registry_address"]
                self.endpoint_url = event["endpoint_url"]
                self._ready.set()
            elif "unimplemented" in event:
                self._unimplemented.add(event["unimplemented"])
            elif "failed" in event:
                self._failed.append(event["failed"])
        self._ready.set()

    def _stop(self) -> None:
        if self._data_plane_process is not None:
            self._data_plane_process.stop()
            self._data_plane_process = None
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            try:
                self._process.wait(timeout=_STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._reader is not None:
                self._reader.join(timeout=_STOP_TIMEOUT_SECONDS)
            self._process.stdout.close()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        if self._state_folder is not None:
            shutil.rmtree(self._state_folder, ignore_errors=True)
            self._state_folder = None


def without_any_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that could not send a program to any AWS."""
    return {
        name: value for name, value in environment.items() if not name.startswith(_OWN_VARIABLES)
    }
