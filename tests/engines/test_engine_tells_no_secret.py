import logging
import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.credentials.conftest import AwsHome
from tests.engines.conftest import MakeEngine
from tests.login.conftest import Rds, give_environment


async def test_neither_logs_nor_tracebacks(
    rds: Rds, aws_home: AwsHome, make_engine: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    key = rds.emulator.account.create_access_key()
    give_environment(aws_home, key)
    for name in (None, "sqlalchemy"):
        caplog.set_level(logging.DEBUG, name)
    engine = make_engine(rds)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()
    rds.emulator.faults.reject_next(2)
    with pytest.raises((rds.refusal, DBAPIError)) as caught:
        await engine.connect()
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    told += caplog.text
    assert "SELECT 1" in told
    assert f"with access key {key.access_key}" in told
    assert "X-Amz-Signature" not in told
    assert key.secret_key not in told
