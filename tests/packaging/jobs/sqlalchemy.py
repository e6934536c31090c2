"""SQLAlchemy: it is there, and the name of the extra that a driver needs."""

from aws_iam_async import DriverNotFoundError
from aws_iam_async.sqlalchemy import create_async_engine

for scheme, extra in (("postgresql+asyncpg", "asyncpg"), ("mysql+aiomysql", "aiomysql")):
    try:
        create_async_engine(f"{scheme}://app@shop.c9akciq32.us-east-1.rds.amazonaws.com/shop")
    except DriverNotFoundError as error:
        assert f"aws-iam-async[{extra}]" in str(error)  # noqa: PT017 - this is a program, not a test
    else:
        raise AssertionError(f"{extra} is not in this extra")
