"""What the package shows."""

import inspect

import aws_iam_async
from aws_iam_async import errors
from aws_iam_async.names import PLUGIN_OPTIONS


def test_every_public_name_is_there_and_documented() -> None:
    for name in aws_iam_async.__all__:
        value = getattr(aws_iam_async, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_connect_names_every_plugin_of_this_package() -> None:
    for code in PLUGIN_OPTIONS:
        assert code in (inspect.getdoc(aws_iam_async.connect) or "").partition("plugins:")[2].partition("**options:")[0]


def test_errors_are_one_tree() -> None:
    tree = dict(inspect.getmembers(errors, inspect.isclass))
    assert tree.keys() >= {"AwsIamError", "ConfigurationError", "CredentialsError", "TokenError"}
    for name, error in tree.items():
        assert issubclass(error, aws_iam_async.AwsIamError)
        assert not issubclass(error, OSError)
        assert getattr(aws_iam_async, name) is error
        assert name in (errors.__doc__ or "")
    assert issubclass(aws_iam_async.ConfigurationError, ValueError)
    assert issubclass(aws_iam_async.RegionError, aws_iam_async.ConfigurationError)
    assert issubclass(aws_iam_async.PluginNotFoundError, aws_iam_async.ConfigurationError)
    assert issubclass(aws_iam_async.DriverNotFoundError, ImportError)
