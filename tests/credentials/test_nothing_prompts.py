"""Nothing asks on the terminal: what needs a person's answer fails at once, and says what it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aws_iam_async import CredentialsError
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import SECRET_KEY, AwsHome

MFA = "arn:aws:iam::123456789012:mfa/me"
PROGRAM = """if True:
    import asyncio
    from aws_iam_async import AwsIamError, RdsTokenProvider
    host = "db.c9akciq32.eu-west-1.rds.amazonaws.com"
    try:
        asyncio.run(RdsTokenProvider(profile="p").get_token(host=host, port=5432, user="app"))
    except AwsIamError as error:
        print("REFUSED", error)
"""


def on_a_terminal(program: str) -> str:
    """Run a Python program on a terminal without any input, and return all that it prints there."""
    terminal, inner = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{program}"],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    ) as process:
        os.close(inner)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(terminal)
    return shown.decode()


@pytest.fixture
def role_with_mfa(aws_home: AwsHome) -> AwsHome:
    aws_home.config.write_text(
        f"[profile p]\nregion = us-east-1\nmfa_serial = {MFA}\nsource_profile = base\n"
        "role_arn = arn:aws:iam::123456789012:role/app\n"
        "[profile chained]\nregion = us-east-1\nrole_arn = arn:aws:iam::123456789012:role/b\nsource_profile = p\n"
        f"[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = {SECRET_KEY}\n"
    )
    return aws_home


@pytest.mark.parametrize("profile", ["p", "chained"])
@pytest.mark.usefixtures("role_with_mfa")
async def test_a_role_that_needs_an_mfa_code(profile: str) -> None:
    with pytest.raises(CredentialsError) as raised:
        await TokenService().credentials(credentials_source(profile=profile))
    for words in (f"profile '{profile}'", "MFA code", MFA, "credentials="):
        assert words in str(raised.value)


@pytest.mark.usefixtures("role_with_mfa")
def test_the_terminal_is_left_alone() -> None:
    shown = on_a_terminal(PROGRAM)
    assert "REFUSED" in shown
    assert "Enter MFA code" not in shown


@pytest.mark.parametrize("reads", ["open('/dev/tty').readline()", "input()"])
def test_a_credential_process_has_no_terminal(aws_home: AwsHome, tmp_path: Path, reads: str) -> None:
    script = tmp_path / "tool.py"
    script.write_text(f"import sys\nprint('PASSWORD?', file=sys.stderr)\n{reads}\n")
    aws_home.config.write_text(f"[profile p]\ncredential_process = {sys.executable} {script}\n")
    shown = on_a_terminal(PROGRAM)
    assert "REFUSED" in shown
    assert "without a terminal" in shown
