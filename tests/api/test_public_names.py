"""What the package shows, and what importing it costs."""

import inspect
import subprocess
import sys

import aws_iam_async
from aws_iam_async import errors


def test_every_public_name_is_there_and_documented() -> None:
    for name in aws_iam_async.__all__:
        value = getattr(aws_iam_async, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_errors_are_one_tree() -> None:
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, aws_iam_async.AwsIamError)
        assert not issubclass(error, OSError)
        assert getattr(aws_iam_async, name) is error
        assert name in (errors.__doc__ or "")
    assert issubclass(aws_iam_async.ConfigurationError, ValueError)
    assert issubclass(aws_iam_async.RegionError, aws_iam_async.ConfigurationError)
    assert issubclass(aws_iam_async.PluginNotFoundError, aws_iam_async.ConfigurationError)
    assert issubclass(aws_iam_async.DriverNotFoundError, ImportError)


def test_importing_it_imports_no_driver_and_no_sdk() -> None:
    program = "import sys, aws_iam_async; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    imported = {module.partition(".")[0] for module in ran.stdout.split()}
    assert "aws_iam_async" in imported
    assert not imported & {"asyncpg", "aiomysql", "pymysql", "aiobotocore", "botocore", "aiohttp", "boto3"}
