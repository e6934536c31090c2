"""How each source of the default chain is set up, and how what it gives is changed."""

import hashlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from tests.credentials.aws_double import AwsDouble, serving
from tests.credentials.conftest import SECRET_KEY, SESSION_TOKEN, AwsHome

START_URL = "https://portal.example/start"


@dataclass
class ChainSource(ABC):
    """One source, set up in an AWS setup that is otherwise empty.

    Attributes:
        method: How botocore calls it.
        profile: The profile to ask for, if it is found by one.
    """

    home: AwsHome
    double: AwsDouble
    directory: Path
    method: ClassVar[str]
    profile: ClassVar[str | None] = None

    @abstractmethod
    def set_up(self) -> None:
        """Make the chain find it."""

    def change(self) -> None:  # noqa: B027 - most sources have nothing on disk that changes with what they give
        """Let it give what the double has now."""


class Container(ChainSource):
    """ECS."""

    method = "container-role"

    def set_up(self) -> None:
        self.home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.double.url}/v2/credentials/task")


class PodIdentity(Container):
    """EKS Pod Identity: the same protocol, with a token that changes on disk."""

    def set_up(self) -> None:
        super().set_up()
        self.token = self.directory / "eks-pod-identity-token"
        self.token.write_text("pod token 1")
        self.home.set(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(self.token))

    def change(self) -> None:
        self.token.write_text(f"pod token {self.double.serial}")


class InstanceMetadata(ChainSource):
    """EC2, version 2 of the protocol."""

    method = "iam-role"

    def set_up(self) -> None:
        self.home.environ.delenv("AWS_EC2_METADATA_DISABLED")
        self.home.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=self.double.url, AWS_EC2_METADATA_V1_DISABLED="true")


class AssumeRole(ChainSource):
    """A profile with a role, and a profile with keys that may assume the role."""

    method = "assume-role"
    profile = "reader"

    def set_up(self) -> None:
        self.home.set(AWS_ENDPOINT_URL_STS=self.double.url, AWS_MAX_ATTEMPTS="1")
        self.home.config.write_text(
            "[profile reader]\nregion = us-east-1\nsource_profile = base\n"
            "role_arn = arn:aws:iam::123456789012:role/app\n"
            f"[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET_KEY}\n"
        )


class WebIdentity(ChainSource):
    """EKS, IAM roles for service accounts."""

    method = "assume-role-with-web-identity"

    def set_up(self) -> None:
        self.token = self.directory / "web-identity-token"
        self.token.write_text("web token 1")
        self.home.set(
            AWS_ENDPOINT_URL_STS=self.double.url,
            AWS_MAX_ATTEMPTS="1",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ROLE_ARN="arn:aws:iam::123456789012:role/app",
            AWS_WEB_IDENTITY_TOKEN_FILE=str(self.token),
        )

    def change(self) -> None:
        self.token.write_text(f"web token {self.double.serial}")


class SingleSignOn(ChainSource):
    """A profile that ``aws sso login`` has been run for."""

    method = "sso"
    profile = "people"

    def set_up(self) -> None:
        self.home.set(AWS_ENDPOINT_URL_SSO=self.double.url, AWS_MAX_ATTEMPTS="1")
        # botocore 1.43 decides on the folder when it is imported.
        self.home.environ.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(self.directory))
        self.home.config.write_text(
            f"[profile people]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"
            "sso_account_id = 123456789012\nsso_role_name = app\n"
        )
        self.change()

    def change(self) -> None:
        name = hashlib.sha1(START_URL.encode(), usedforsecurity=False).hexdigest()
        token = {
            "startUrl": START_URL,
            "region": "us-east-1",
            "accessToken": f"sso token {self.double.serial}",
            "expiresAt": "2099-01-01T00:00:00Z",
        }
        (self.directory / f"{name}.json").write_text(json.dumps(token))


class Command(ChainSource):
    """``credential_process``; what it prints comes from the double."""

    method = "custom-process"
    profile = "tool"

    def set_up(self) -> None:
        script = self.directory / "tool.py"
        script.write_text(
            "import json, sys, urllib.request\n"
            f"answer = urllib.request.urlopen({self.double.url!r} + '/tool').read().decode()\n"
            "try:\n    answer = json.dumps(json.loads(answer) | {'Version': 1, 'SessionToken': "
            f"{SESSION_TOKEN!r}}})\nexcept ValueError:\n    pass\nprint(answer)\n"
        )
        self.home.config.write_text(f"[profile tool]\ncredential_process = {sys.executable} {script}\n")


SOURCES: dict[str, Callable[[AwsHome, AwsDouble, Path], ChainSource]] = {
    "container": Container,
    "pod identity": PodIdentity,
    "instance metadata": InstanceMetadata,
    "assumed role": AssumeRole,
    "web identity": WebIdentity,
    "single sign-on": SingleSignOn,
    "command": Command,
}


@pytest.fixture
def double() -> Iterator[AwsDouble]:
    with serving() as served:
        yield served


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, aws_home: AwsHome, double: AwsDouble, tmp_path: Path) -> ChainSource:
    chosen = SOURCES[request.param](aws_home, double, tmp_path)
    chosen.set_up()
    # The pause between tries of a container's endpoint that fails (botocore 1.43).
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    return chosen
