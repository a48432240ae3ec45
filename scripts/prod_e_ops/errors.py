"""What can go wrong, told in full sentences, with the next thing to do."""

from collections.abc import Sequence

from prod_e_ops import next_commands


class OpsError(Exception):
    """Something outside of this program failed: AWS, the network, Terraform.

    `message`: what failed, outermost first. `details`: lines below it: what is known about why,
    and in what state things are now. `next_step`: advice, which is shown as a hint.
    """

    exit_status = 1

    def __init__(
        self, message: str, *, details: Sequence[str] = (), next_step: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.next_step = next_step


class UserMistake(OpsError):
    """Something that the user can put right: settings, arguments, a program not installed."""

    exit_status = 2


class ProviderUnavailable(OpsError):
    """Neither a mirror nor the registry gives a Terraform provider that a stack needs."""

    def __init__(
        self, context: str, *, provider: str, details: Sequence[str], next_step: str
    ) -> None:
        self.reason = (
            f"the provider {provider} cannot be found, neither in a mirror on this machine nor in"
            " Terraform's registry"
        )
        super().__init__(f"{context}: {self.reason}.", details=details, next_step=next_step)


class ProviderCrashed(OpsError):
    """A Terraform provider ended while Terraform talked to it."""

    def __init__(
        self, context: str, *, provider: str, details: Sequence[str], next_step: str
    ) -> None:
        self.reason = f"the provider {provider} crashed"
        super().__init__(f"{context}: {self.reason}.", details=details, next_step=next_step)


class PlanIsStale(OpsError):
    """The state is not the one that a plan was made from: Terraform has applied nothing of it."""


class DependencyLockMismatch(UserMistake):
    """The dependency lock has another version or checksum of a provider than is to be used."""


class PlanRefused(UserMistake):
    """A plan does what nobody has agreed to, such as losing data: it is not applied."""


class LeftOver(OpsError):
    """AWS has what a deployment would create, and nobody has said that it is to be taken over."""


class NotTakenOver(UserMistake):
    """AWS has what a deployment would create, and it may not, or cannot, be taken over."""


class DestroyRefused(UserMistake):
    """The settings protect the environment against being destroyed."""


class StackNotDeployable(UserMistake):
    """A stack cannot be deployed from this machine: it lacks Docker, or a provider."""


class SourceChanged(UserMistake):
    """A service's source is not what was planned any more: it is not built."""


class SettingsMistake(UserMistake):
    """A file in `environments/` says something that is not allowed."""


class SettingsChanged(UserMistake):
    """A settings file was changed while a command was about to change it."""


class SettingsNotWritten(OpsError):
    """A settings file cannot be written."""


class InvalidOption(UserMistake):
    """An option or an argument has a value that the command does not take."""


class SourceInvalid(UserMistake):
    """A service's source folder cannot be read, or has nothing that could be built."""


class AwsFailed(OpsError):
    """AWS refused a call, for another reason than the credentials."""


class CredentialsRefused(UserMistake):
    """AWS does not accept the credentials, or there are none."""


class CredentialsMissing(CredentialsRefused):
    """There is nothing to sign in to AWS with. `failed`: the beginning of a sentence."""

    def __init__(self, failed: str) -> None:
        super().__init__(
            f"{failed}: there are no AWS credentials.",
            next_step="Set AWS_PROFILE, or run `aws configure` or `aws sso login`;"
            f" `{next_commands.demo()}` needs none.",
        )


class AccessDenied(UserMistake):
    """The credentials are AWS's, but may not do what is asked."""


class AwsUnreachable(OpsError):
    """No answer came from AWS: the network, or the endpoint."""


class WrongAccount(UserMistake):
    """The credentials open another AWS account than the settings name."""


class UnknownEnvironment(UserMistake):
    """The project has no environment of that name."""


class UnknownService(UserMistake):
    """The environment's settings have no service of that key."""


class RepositoryMissing(UserMistake):
    """The service's ECR repository does not exist."""


class ImageMissing(UserMistake):
    """ECR has no image of that tag or digest, or nothing that runs it."""


class ReleaseTaken(UserMistake):
    """The version names other content already, and never moves."""


class UploadFailed(OpsError):
    """The registry refused the image, or could not be reached, and no tag moved."""


class ImagesKept(OpsError):
    """ECR did not delete images that it was asked to."""


class TagsNotMoved(OpsError):
    """Tags do not name the image that they were to name, because somebody else changes them."""


class NotYetVisible(OpsError):
    """AWS does not show yet what has just been made in it."""


class DockerUnavailable(UserMistake):
    """The docker command is not installed, or no daemon answers it."""


class BuildFailed(OpsError):
    """An image was not built."""


class TaskDefinitionMissing(UserMistake):
    """The revision of the task definition does not exist, or is deregistered."""


class RollbackFailed(OpsError):
    """The deployment of an earlier image or task definition did not succeed."""


class DeployedMeanwhile(OpsError):
    """Somebody else pushed or deployed at the same time."""


class ServiceNotDeployed(UserMistake):
    """ECS has no such service in the environment's cluster."""


class DeploymentUnderWay(UserMistake):
    """Another deployment of the service has not ended yet."""


class DeploymentNotBegun(OpsError):
    """No deployment began in the time that one takes to."""


class DeploymentTooSlow(OpsError):
    """A deployment has not ended in time; ECS goes on with it."""


class DeploymentFailed(OpsError):
    """A deployment has ended, and the service does not run what it was to run."""


class NothingToRollBackTo(UserMistake):
    """There is no earlier image or task definition that a service could return to."""


class NoTerminal(UserMistake):
    """A question would have to be answered, and there is no terminal to ask on."""


class Declined(OpsError):
    """The user does not agree to what would be done."""


class Interrupted(OpsError):
    """A signal ended the command."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("Interrupted.")
        self.exit_status = 128 + signal_number
