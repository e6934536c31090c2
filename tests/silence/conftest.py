"""A database behind the emulator, credentials from every kind of source, and an ear on everything."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from aws_iam_async import ConnectRequest, Credentials, PluginManager
from aws_iam_async.testing import AccessKey, Emulator
from tests.credentials.conftest import FAR, Answer, AwsHome, Endpoint, aws_home, endpoint
from tests.login.conftest import Rds
from tests.silence.ear import Ear, hear_loop, listening

__all__ = ["aws_home", "endpoint"]


@dataclass
class Witness:
    """A plugin next to the driver: makes every token known to the ear, and looks at the request as a plugin may."""

    ear: Ear

    async def connect(self, request: ConnectRequest, call_next: Any) -> Any:
        self.ear.secrets += secrets_of(str(request.password))
        self.ear.hear_object(request)
        return await call_next(request)


def secrets_of(token: str) -> list[str]:
    parts = (token.partition(name)[2].partition("&")[0] for name in ("X-Amz-Signature=", "X-Amz-Security-Token="))
    return [part for part in parts if part]


@dataclass
class Sources:
    """Gives out one access key in every way in which a key can come.

    Attributes:
        key: The access key.
    """

    key: AccessKey
    home: AwsHome
    endpoint: Endpoint
    used: list[str] = field(default_factory=list)

    def use(self, name: str) -> dict[str, Any]:
        """Set a source up, and return the options that select it."""
        found: dict[str, Any] | None = getattr(self, name)()
        return found or {}

    def environment(self) -> None:
        self.home.set(**self._variables())

    def profile(self) -> dict[str, Any]:
        lines = "\n".join(f"{name.lower()}={value}" for name, value in self._variables().items())
        self.home.credentials.write_text(f"[mine]\n{lines}\n")
        return {"profile": "mine"}

    def process(self) -> dict[str, Any]:
        answer = self.home.config.with_name("answer.json")
        answer.write_text(json.dumps({"Version": 1} | self._answer("SessionToken")))
        program = f"print(open({str(answer)!r}).read())"
        self.home.config.write_text(f'[profile mine]\ncredential_process={sys.executable} -c "{program}"\n')
        return {"profile": "mine"}

    def container(self) -> None:
        self.endpoint.answer = Answer(json.dumps(self._answer("Token")))
        self.home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.endpoint.url}/creds")

    def role(self) -> dict[str, Any]:
        """Set up a profile with a role."""
        self._set_up_sts()
        return {"profile": "mine"}

    def assumed_role(self) -> dict[str, Any]:
        """Set up a role as an option, and the profile that assumes it."""
        self._set_up_sts()
        role = "arn:aws:iam::123456789012:role/reader"
        return {"profile": "base", "role_arn": role, "external_id": "shop-12", "role_session_name": "job"}

    def _set_up_sts(self) -> None:
        self.endpoint.answer = Answer(f"""
            <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
            <AccessKeyId>{self.key.access_key}</AccessKeyId><SecretAccessKey>{self.key.secret_key!s}</SecretAccessKey>
            <SessionToken>{self.key.session_token!s}</SessionToken><Expiration>{FAR}</Expiration>
            </Credentials></AssumeRoleResult></AssumeRoleResponse>
        """)
        self.home.set(AWS_ENDPOINT_URL_STS=self.endpoint.url)
        self.home.config.write_text(
            "[profile mine]\nregion=us-east-1\nrole_arn=arn:aws:iam::123456789012:role/reader\nsource_profile=base\n"
            "[profile base]\naws_access_key_id=AKIABASE\naws_secret_access_key=of-no-interest-here\n"
        )

    def callable(self) -> dict[str, Any]:
        async def credentials() -> Credentials:
            return Credentials(self.key.access_key, self.key.secret_key, self.key.session_token)

        return {"credentials": credentials}

    def callable_of_botocores(self) -> dict[str, Any]:
        async def credentials() -> ReadOnlyCredentials:
            return ReadOnlyCredentials(self.key.access_key, str(self.key.secret_key), str(self.key.session_token))

        return {"credentials": credentials}

    def session(self) -> dict[str, Any]:
        session = AioSession()
        session.set_credentials(self.key.access_key, str(self.key.secret_key), str(self.key.session_token))
        return {"credentials": session}

    def _variables(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key.access_key,
            "AWS_SECRET_ACCESS_KEY": str(self.key.secret_key),
            "AWS_SESSION_TOKEN": str(self.key.session_token),
        }

    def _answer(self, token: str) -> dict[str, str]:
        return {
            "AccessKeyId": self.key.access_key,
            "SecretAccessKey": str(self.key.secret_key),
            token: str(self.key.session_token),
            "Expiration": FAR,
        }


SOURCES = (
    "environment",
    "profile",
    "process",
    "container",
    "role",
    "assumed_role",
    "callable",
    "callable_of_botocores",
    "session",
)


@pytest.fixture(params=["asyncpg", "aiomysql", "psycopg"])
def rds(request: pytest.FixtureRequest) -> Iterator[Rds]:
    emulator = request.getfixturevalue("rds_mysql" if request.param == "aiomysql" else "rds_postgres")
    assert isinstance(emulator, Emulator)
    yield Rds(request.param, emulator)
    emulator.cut_connections()  # a login that is delayed does not see that its client has gone
    emulator.wait_for_connections(0)


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    with listening(ear):
        yield ear


@pytest.fixture
def sources(rds: Rds, ear: Ear, aws_home: AwsHome, endpoint: Endpoint) -> Sources:
    key = rds.emulator.account.create_access_key(session=True)
    assert key.session_token is not None
    ear.secrets += [key.secret_key, key.session_token]
    return Sources(key, aws_home, endpoint)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    factory: Callable[[], asyncio.AbstractEventLoop] = request.param
    return factory


@dataclass
class Stage:
    """Where scenes are played: a manager with the witness, on a loop that tells all it can."""

    rds: Rds
    ear: Ear
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    plugins: str = "iam"

    def play(self, scene: Callable[..., Any], options: dict[str, Any]) -> None:
        async def main() -> None:
            hear_loop(self.ear, asyncio.get_running_loop())
            async with PluginManager([self.plugins, Witness(self.ear)]) as manager:
                await scene(manager, self.rds, self.ear, {**self.rds.options, **options})
                self.ear.hear_object(manager)
                self.ear.hear_object(manager.statistics())

        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.run(main())
