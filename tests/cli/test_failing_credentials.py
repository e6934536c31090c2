"""A credentials source that fails: one line on stderr, and none of the SDK's own."""

from pathlib import Path

import pytest

from tests.cli.conftest import Program

RDS_DSN = "postgresql://app@shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com/shop"


@pytest.mark.parametrize("command", ["token", "check"])
def test_the_sdks_log_lines_stay_out(program: Program, tmp_path: Path, command: str) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile p]\nsso_start_url = https://x.example/start\nsso_region = us-east-1\nsso_account_id = 1\n"
        "sso_role_name = app\n"
    )
    arguments = ["--host", "127.0.0.1", "--port", "1", "--iam-host", "db.c9akciq32.us-east-1.rds.amazonaws.com"]
    environment = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(config)}
    done = program.run(command, RDS_DSN, "--profile", "p", *arguments, environment=environment)
    assert done.returncode == 1
    assert "aws sso login --profile p" in (done.stderr if command == "token" else done.stdout)
    assert len(done.stderr.splitlines()) == (1 if command == "token" else 0)
    assert "Refreshing" not in done.stderr + done.stdout
