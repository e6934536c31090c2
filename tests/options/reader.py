"""How tests read options: as a manager does. The one place in tests that knows what reads them."""

from collections.abc import Mapping
from typing import Any

from aws_iam_async import PluginManager
from aws_iam_async.drivers.aiomysql import AiomysqlDriver
from aws_iam_async.drivers.asyncpg import AsyncpgDriver
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.options import Options as Read
from aws_iam_async.options import OptionsReader

__all__ = ["DRIVERS", "OPTION_NAMES", "Options", "Read"]

OPTION_NAMES = PluginManager("iam").option_names
DRIVERS: dict[str, Driver] = {"postgresql": AsyncpgDriver(), "mysql": AiomysqlDriver()}


class Options:
    """Reads the options of a manager with plugin ``iam``.

    Args:
        scheme: The driver's, of a DSN.
        defaults: The manager's options.
    """

    def __init__(self, scheme: str = "postgresql", defaults: Mapping[str, Any] | None = None) -> None:
        self._reader = OptionsReader(DRIVERS[scheme], "iam", OPTION_NAMES, defaults or {})

    def read(self, dsn: str | None, keywords: Mapping[str, Any], *, pool: bool = False) -> Read:
        return self._reader.read(dsn, keywords, pool=pool)
