"""RDS IAM login without AWS: an emulator in front of real database servers, for tests, demos and laptops.

    with PostgresServer() as server, Emulator(server) as emulator:
        server.create_user("app")
        ...  # await aws_iam_async.connect(emulator.dsn("app"), **emulator.options)

Needs the extra ``testing``. The names are loaded when they are first used: what verifies tokens needs no certificates,
and what serves MySQL no PostgreSQL.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_iam_async.testing.account import AccessKey, Account
    from aws_iam_async.testing.emulator import Emulator
    from aws_iam_async.testing.faults import CertificateKind, Faults, Stage
    from aws_iam_async.testing.login import Login, Reason
    from aws_iam_async.testing.servers.mariadb import MariadbServer
    from aws_iam_async.testing.servers.postgres import PostgresServer
    from aws_iam_async.testing.servers.upstream import Upstream

__all__ = [
    "AccessKey",
    "Account",
    "CertificateKind",
    "Emulator",
    "Faults",
    "Login",
    "MariadbServer",
    "PostgresServer",
    "Reason",
    "Stage",
    "Upstream",
]

_HOMES = {
    "AccessKey": "account",
    "Account": "account",
    "CertificateKind": "faults",
    "Emulator": "emulator",
    "Faults": "faults",
    "Login": "login",
    "MariadbServer": "servers.mariadb",
    "PostgresServer": "servers.postgres",
    "Reason": "login",
    "Stage": "faults",
    "Upstream": "servers.upstream",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} needs {error.name!r}, which is not installed: pip install 'aws-iam-async[testing]'",
            name=error.name,
        ) from error
