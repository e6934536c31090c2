"""Emulator of RDS IAM login in front of real database servers, for tests, demos and development.

    with PostgresServer() as server, Emulator(server) as emulator:
        server.create_user("app")
        ...  # await aws_iam_async.connect(emulator.dsn("app"), **emulator.options)

Needs the extra ``testing``. Each public name is imported on first use. Importing this package therefore loads no
driver, certificate library or database server.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_iam_async.testing.account import AccessKey, Account
    from aws_iam_async.testing.emulator import Emulator
    from aws_iam_async.testing.faults import CertificateKind, Faults, Stage
    from aws_iam_async.testing.record import LoginRecord, Reason
    from aws_iam_async.testing.servers import Upstream
    from aws_iam_async.testing.servers.cluster import MariadbCluster, PostgresCluster
    from aws_iam_async.testing.servers.mariadb import MariadbServer
    from aws_iam_async.testing.servers.postgres import PostgresServer

__all__ = [
    "AccessKey",
    "Account",
    "CertificateKind",
    "Emulator",
    "Faults",
    "LoginRecord",
    "MariadbCluster",
    "MariadbServer",
    "PostgresCluster",
    "PostgresServer",
    "Reason",
    "Stage",
    "Upstream",
]

_MODULES = {
    "AccessKey": "account",
    "Account": "account",
    "CertificateKind": "faults",
    "Emulator": "emulator",
    "Faults": "faults",
    "LoginRecord": "record",
    "MariadbCluster": "servers.cluster",
    "MariadbServer": "servers.mariadb",
    "PostgresCluster": "servers.cluster",
    "PostgresServer": "servers.postgres",
    "Reason": "record",
    "Stage": "faults",
    "Upstream": "servers",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} needs {error.name!r}, which is not installed: pip install 'aws-iam-async[testing]'",
            name=error.name,
        ) from error
