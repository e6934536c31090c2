"""The options for a role are checked before any traffic."""

import enum
import re
from typing import Any, cast

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError, Credentials, PluginManager, RdsTokenProvider
from aws_iam_async.credentials.source import credentials_source

HOST = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/app"


async def load() -> Credentials:
    return Credentials("AKIA", "x")


@pytest.mark.parametrize(
    "arn",
    [
        ROLE,
        "arn:aws-cn:iam::123456789012:role/app",
        "arn:aws-us-gov:iam::123456789012:role/teams/shop/app+x=y,z.@-_",
        "arn:aws-iso-b:iam::123456789012:role/a",
        f"arn:aws-eusc:iam::123456789012:role/{'a' * 64}",
        "arn:aws:iam::123456789012:role/aws-service-role/rds.amazonaws.com/x",
    ],
)
def test_arns_of_roles_in_every_partition(arn: str) -> None:
    assert arn in repr(credentials_source(role_arn=arn))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "app",
        f" {ROLE}",
        f"{ROLE}\n",
        "arn:aws:iam::1234:role/app",
        "arn:aws:iam::123456789012:user/app",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:instance-profile/app",
        "arn:aws:sts::123456789012:assumed-role/app/session",
        "arn:aws:iam:us-east-1:123456789012:role/app",
        "arn:azure:iam::123456789012:role/app",
        f"arn:aws:iam::123456789012:role/{'a' * 65}",
        "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/app",
        7,
        b"x",
        ["SECRET-KEY-MARK"],
    ],
)
def test_what_is_no_arn_of_a_role(wrong: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^role_arn must be the ARN of an IAM role, such as arn:aws:iam::"
    ) as e:
        credentials_source(role_arn=wrong)
    assert "MARK" not in str(e.value)


def test_another_arn_is_shown() -> None:
    with pytest.raises(ConfigurationError, match="not 'arn:aws:iam::123456789012:user/app'"):
        credentials_source(role_arn="arn:aws:iam::123456789012:user/app")


@pytest.mark.parametrize("wrong", ["", "x", "a b", "x" * 1225, "é" * 5, "a\n", 12345, "a;b"])
def test_external_ids_that_aws_does_not_accept(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^external_id must consist of 2 to 1224") as refused:
        credentials_source(role_arn=ROLE, external_id=wrong)
    assert repr(wrong) not in str(refused.value)


@pytest.mark.parametrize("wrong", ["", "x", "a b", "x" * 65, "a/b", "a:b", 12345])
def test_session_names_that_aws_does_not_accept(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^role_session_name must consist of 2 to 64"):
        credentials_source(role_arn=ROLE, role_session_name=wrong)


@pytest.mark.parametrize("name", ["external_id", "role_session_name"])
def test_they_need_a_role(name: str) -> None:
    options: dict[str, Any] = {name: "something"}
    with pytest.raises(ConfigurationError, match=f"^{name} needs role_arn"):
        credentials_source(profile="prod", **options)
    with pytest.raises(ConfigurationError, match=f"^{name} needs role_arn"):
        RdsTokenProvider(**options)


def test_profile_and_credentials_still_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="profile and credentials"):
        credentials_source("prod", load, ROLE)


def test_equal_options_are_one_identity_and_all_others_are_different() -> None:
    def sources() -> list[object]:
        return [
            credentials_source(),
            credentials_source(profile="prod"),
            credentials_source(role_arn=ROLE),
            credentials_source(role_arn=f"{ROLE}2"),
            credentials_source(role_arn=ROLE, external_id="x1"),
            credentials_source(role_arn=ROLE, external_id="x2"),
            credentials_source(role_arn=ROLE, role_session_name="x1"),
            credentials_source(role_arn=ROLE, profile="prod"),
            credentials_source(role_arn=ROLE, profile="dev"),
            credentials_source(role_arn=ROLE, credentials=load),
        ]

    assert sources() == sources()
    assert len(set(sources() + sources())) == len(sources())


def test_texts_of_an_enum_are_their_values() -> None:
    class Role(str, enum.Enum):  # noqa: UP042 - a StrEnum is its text in every way
        APP = ROLE

    assert credentials_source(role_arn=Role.APP) == credentials_source(role_arn=ROLE)


def test_an_external_id_is_not_shown() -> None:
    source = credentials_source(role_arn=ROLE, external_id="EXTERNAL-MARK", profile="prod")
    assert repr(source) == f"profile 'prod' -> role {ROLE}"


NAMES = {
    "roleArn": "role_arn",
    "RoleArn": "role_arn",
    "sts_role_arn": "role_arn",
    "assume_role_arn": "role_arn",
    "assumeRoleArn": "role_arn",
    "iamRoleArn": "role_arn",
    "role-arn": "role_arn",
    "externalId": "external_id",
    "ExternalId": "external_id",
    "sts_external_id": "external_id",
    "roleSessionName": "role_session_name",
    "role_session": "role_session_name",
    "session_name": "role_session_name",
}


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "postgresql+psycopg"])
@pytest.mark.parametrize("name", NAMES)
async def test_other_spellings_are_hinted(scheme: str, name: str) -> None:
    hint = re.escape(f"unknown option '{name}'") + f".*did you mean {NAMES[name]}"
    dsn, options = f"{scheme}://app@{HOST}/shop", cast("dict[str, Any]", {name: ROLE})
    with pytest.raises(ConfigurationError, match=hint):
        await aws_iam_async.connect(f"{dsn}?{name}=x")
    with pytest.raises(ConfigurationError, match=hint):
        await aws_iam_async.connect(dsn, **options)
    with pytest.raises(ConfigurationError, match=hint):
        PluginManager(**options)


async def test_they_are_the_plugins_options() -> None:
    with pytest.raises(ConfigurationError, match="it needs the plugin 'iam'"):
        await aws_iam_async.connect(f"postgresql://app@{HOST}/shop", plugins="", role_arn=ROLE)
    with pytest.raises(ConfigurationError, match="'role_arn' is no setting of the server"):
        await aws_iam_async.connect(f"postgresql://app@{HOST}/shop", server_settings={"role_arn": ROLE})


@pytest.mark.parametrize("opening", [aws_iam_async.connect, aws_iam_async.create_pool])
async def test_wrong_values_are_errors_before_any_traffic(opening: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^role_arn must be"):
        await opening(f"postgresql://app@{HOST}/shop?role_arn=app")
    with pytest.raises(ConfigurationError, match=r"^external_id needs role_arn"):
        await opening(f"postgresql://app@{HOST}/shop", external_id="x1")
