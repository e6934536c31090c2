"""Find a driver's adapter. None is imported before it is asked for."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from aws_iam_async import importing
from aws_iam_async.dsn import parse
from aws_iam_async.errors import ConfigurationError, DriverNotFoundError

if TYPE_CHECKING:
    from aws_iam_async.drivers.protocol import Driver

__all__ = ["driver_name", "load", "load_now", "loaded"]

SCHEMES = {
    "postgresql": "asyncpg",
    "postgres": "asyncpg",
    "postgresql+asyncpg": "asyncpg",
    "mysql": "aiomysql",
    "mariadb": "aiomysql",
    "mysql+aiomysql": "aiomysql",
}
ADAPTERS = {
    "asyncpg": ("aws_iam_async.drivers.asyncpg", "AsyncpgDriver"),
    "aiomysql": ("aws_iam_async.drivers.aiomysql.driver", "AiomysqlDriver"),
}

_loaded: "dict[str, type[Driver]]" = {}


def driver_name(dsn: str | None, driver: str | ModuleType | None) -> str:
    """Tell which driver is meant.

    Args:
        dsn: The DSN, whose scheme may say it.
        driver: Its name or its imported module; ``None`` lets the scheme decide.

    Raises:
        ConfigurationError: Neither says it, one of them is unknown or cannot be read, or they contradict each other.
    """
    by_scheme = None if dsn is None else _by_scheme(dsn)
    if driver is None:
        if by_scheme is None:
            raise ConfigurationError("driver is missing: pass driver='asyncpg' or driver='aiomysql', or a DSN")
        return by_scheme
    name = driver.__name__ if isinstance(driver, ModuleType) else driver
    if not isinstance(name, str) or name not in ADAPTERS:
        raise ConfigurationError(f"driver={name!r} is unknown; known: {', '.join(ADAPTERS)}")
    if by_scheme is not None and by_scheme != name:
        raise ConfigurationError(f"driver={name!r} contradicts the DSN's scheme, which is for {by_scheme}")
    return name


def _by_scheme(dsn: str) -> str:
    if not isinstance(dsn, str):
        raise ConfigurationError(f"dsn must be a text, not {type(dsn).__name__}")
    scheme = parse(dsn).scheme
    if scheme not in SCHEMES:
        raise ConfigurationError(f"dsn: unknown scheme {scheme!r}; known: {', '.join(SCHEMES)}")
    return SCHEMES[scheme]


async def load(name: str) -> "type[Driver]":
    """Import the adapter of a driver, and with it the driver: off the loop, and once for all who ask.

    Args:
        name: What :func:`driver_name` returned.

    Raises:
        DriverNotFoundError: The driver is not installed.
    """
    if name not in _loaded:
        module, _ = ADAPTERS[name]
        await importing.off_the_loop(module)
    return _loaded.get(name) or load_now(name)


def load_now(name: str) -> "type[Driver]":
    """Import the adapter of a driver, and with it the driver, here and now: not for a thread that runs a loop.

    Args:
        name: What :func:`driver_name` returned.

    Raises:
        DriverNotFoundError: The driver is not installed.
    """
    module, adapter = ADAPTERS[name]
    try:
        _loaded[name] = getattr(import_module(module), adapter)
    except ModuleNotFoundError as error:
        raise DriverNotFoundError(
            f"driver {name!r} is not installed (no module named {error.name!r}): pip install 'aws-iam-async[{name}]'"
        ) from error
    return _loaded[name]


def loaded(name: str) -> "type[Driver]":
    """Return the adapter of a driver in use."""
    return _loaded[name]
