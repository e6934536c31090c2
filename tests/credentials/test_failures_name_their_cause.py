"""The error names what failed (file, variable, program, profile, region, endpoint) and the command that fixes it."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, UnauthorizedSSOTokenError

from aws_iam_async import CredentialsError
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import SECRET_KEY, Answer, AwsHome, Endpoint, told

SSO = "sso_start_url = https://x.example/start\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = app\n"
ROLE = "role_arn = arn:aws:iam::123456789012:role/app\n"
BASE = f"[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET_KEY}\n"


async def failure(profile: str | None = None, credentials: object = None) -> CredentialsError:
    with pytest.raises(CredentialsError) as raised:
        await TokenService().credentials(credentials_source(profile, credentials))
    return raised.value


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[profile p]\nregion = a\n[profile p]\nregion = b\n", ["{config}", "line 3", "AWS_CONFIG_FILE"]),
        (f"[profile p]\n{SECRET_KEY}\n", ["{config}", "line 2"]),
        ("[profile p]\ncredential_process = /no/such/program --x\n", ["No such file", "'/no/such/program'"]),
        ("[profile p]\ncredential_process = sh 'x\n", ["No closing quotation"]),
        (f"[profile p]\n{ROLE}web_identity_token_file = /no/such/token\n", ["No such file", "'/no/such/token'"]),
        (f"[profile p]\nregion = us_east_1!\n{ROLE}source_profile = base\n{BASE}", ["'us_east_1!'", "Set region"]),
        (f"[profile p]\n{ROLE}source_profile = base\n{BASE}", ["region", "AWS_DEFAULT_REGION"]),
        (f"[profile p]\n{SSO}", ["aws sso login --profile p"]),
        (
            f"[profile p]\nregion = us-east-1\n{ROLE}source_profile = q\n[profile q]\n{SSO}",
            ["aws sso login --profile q"],
        ),
        (
            "[profile p]\nlogin_session = arn:aws:iam::123456789012:user/me\nregion = us-east-1\n",
            # botocore before 1.41 does not know such profiles.
            ["aws login|pip install|profile 'p' in"],
        ),
    ],
    ids=[
        "section twice",
        "line",
        "program",
        "quotes",
        "token file",
        "region",
        "no region",
        "SSO",
        "SSO of role",
        "login",
    ],
)
async def test_what_a_profile_names(
    aws_home: AwsHome, config: str, words: list[str], no_secret_in: Callable[..., None]
) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS="http://127.0.0.1:9")
    aws_home.config.write_text(config)
    error = await failure("p")
    for word in words:
        assert any(one in str(error) for one in word.format(config=aws_home.config).split("|")), str(error)
    assert "its text is not shown" not in str(error)
    no_secret_in(told(error))


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"AWS_PROFILE": ""}, ["AWS_PROFILE names profile ''"]),
        ({"AWS_PROFILE": "nobody"}, ["AWS_PROFILE", "'nobody'", "available profiles: other"]),
        ({"AWS_DEFAULT_PROFILE": "nobody"}, ["AWS_DEFAULT_PROFILE", "'nobody'"]),
        (
            {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/app", "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/token"},
            ["'/no/such/token'", "AWS_WEB_IDENTITY_TOKEN_FILE"],
        ),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"}, ["'evil.example'"]),
        (
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/x?key=SECRET-KEY-MARK"},
            ["http://127.0.0.1:9/x", "AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        ),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "x"}, ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]),
    ],
)
async def test_what_the_environment_names(
    aws_home: AwsHome, environ: dict[str, str], words: list[str], no_secret_in: Callable[..., None]
) -> None:
    aws_home.environ.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    aws_home.config.write_text("[profile other]\nregion = us-east-1\n")
    aws_home.set(**environ)
    error = await failure()
    for word in words:
        assert word in str(error)
    no_secret_in(told(error))


async def test_an_sso_session_that_is_over(aws_home: AwsHome, endpoint: Endpoint, tmp_path: Path) -> None:
    aws_home.config.write_text(f"[profile p]\n{SSO}")
    aws_home.environ.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(tmp_path))
    name = hashlib.sha1(b"https://x.example/start", usedforsecurity=False).hexdigest()
    (tmp_path / f"{name}.json").write_text('{"accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z"}')
    error = str(await failure("p"))
    assert "expired" in error
    assert "aws sso login --profile p" in error
    assert endpoint.requests == 0


async def test_a_role_that_keys_may_not_assume(aws_home: AwsHome, endpoint: Endpoint) -> None:
    aws_home.set(AWS_ENDPOINT_URL_STS=endpoint.url, AWS_MAX_ATTEMPTS="1")
    aws_home.config.write_text(f"[profile p]\nregion = us-east-1\n{ROLE}source_profile = base\n{BASE}")
    code = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>"
    endpoint.answer = Answer(code, 403)
    assert "AWS does not know this access key" in str(await failure("p"))


def raising(error: Exception) -> Callable[..., object]:
    async def load() -> object:
        raise error

    return load


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/etc/vault"), "No such file or directory: '/etc/vault'"),
        (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError: Connection refused"),
        (KeyError("VAULT_ADDR"), "KeyError: VAULT_ADDR"),
        (ModuleNotFoundError("No module named 'hvac'"), "No module named 'hvac'"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "GetSecretValue"), "AccessDenied"),
        (UnauthorizedSSOTokenError(), "aws sso login"),
    ],
)
async def test_what_a_callable_raises(error: Exception, words: str) -> None:
    shown = await failure(credentials=raising(error))
    assert words in str(shown)
    assert shown.__cause__ is error


@pytest.mark.parametrize("error", [ValueError(SECRET_KEY), RuntimeError({"key": SECRET_KEY}), KeyError(SECRET_KEY)])
async def test_what_may_quote_an_answer_is_withheld(error: Exception) -> None:
    shown = str(await failure(credentials=raising(error)))
    assert type(error).__name__ in shown
    assert SECRET_KEY not in shown


async def test_the_output_of_a_program_is_withheld(aws_home: AwsHome, tmp_path: Path) -> None:
    script = tmp_path / "tool.py"
    script.write_text(f"raise SystemExit({SECRET_KEY!r})")
    aws_home.config.write_text(f"[profile p]\ncredential_process = {sys.executable} {script}\n")
    error = await failure("p")
    assert "run it in a shell: aws sts get-caller-identity --profile p" in str(error)
    assert SECRET_KEY not in told(error)


async def test_the_output_of_a_program_that_begins_like_a_text_of_the_sdk_is_withheld(
    aws_home: AwsHome, tmp_path: Path
) -> None:
    script = tmp_path / "tool.py"
    script.write_text(f"raise SystemExit('Unsupported version {SECRET_KEY}')")
    aws_home.config.write_text(f"[profile p]\ncredential_process = {sys.executable} {script}\n")
    assert SECRET_KEY not in told(await failure("p"))


async def test_the_remedy_stands_apart_from_the_problem(aws_home: AwsHome) -> None:
    aws_home.config.write_text(f"[profile p]\n{SSO}")
    error = await failure("p")
    assert (error.cause, error.command) == ("credentials-expired", "aws sso login --profile p")
    assert str(error.remedy) in str(error)
    assert str(error.command) not in error.problem
    assert str(error).startswith(error.problem.rstrip("."))
