"""The known drivers: built in by a line in a table, or found as entry points. Each is imported on first use."""

import functools
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from aws_iam_async import threads
from aws_iam_async.drivers.protocol import Driver
from aws_iam_async.errors import ConfigurationError, DriverNotFoundError
from aws_iam_async.names import installed, shown, unknown

ENTRY_POINT_GROUP = "aws_iam_async.drivers"


class BuiltIn(NamedTuple):
    factory: str
    schemes: tuple[str, ...]  # of its DSNs
    oldest: Mapping[str, str]  # the libraries that it imports, with their oldest versions, as in pyproject.toml


BUILT_IN = {
    "asyncpg": BuiltIn(
        "aws_iam_async.drivers.asyncpg:AsyncpgDriver",
        ("postgresql", "postgres", "postgresql+asyncpg"),
        {"asyncpg": "0.32"},
    ),
    "aiomysql": BuiltIn(
        "aws_iam_async.drivers.aiomysql:AiomysqlDriver",
        ("mysql", "mariadb", "mysql+aiomysql", "mariadb+aiomysql"),
        {"aiomysql": "0.3.2"},
    ),
    "psycopg": BuiltIn(
        "aws_iam_async.drivers.psycopg:PsycopgDriver",
        ("postgresql", "postgres", "postgresql+psycopg"),
        {"psycopg": "3.3.6", "psycopg_pool": "3.3.1"},
    ),
}
# Of several drivers for a scheme the first one is the default.
_BY_SCHEME = {scheme: name for name, built_in in reversed(BUILT_IN.items()) for scheme in built_in.schemes}

_loaded: dict[str, Driver] = {}


def name_of(driver: str | ModuleType | None, scheme: str | None) -> str:
    """Return the name of the driver to use: the given one, else that of the DSN's scheme."""
    by_scheme = (_BY_SCHEME.get(scheme) or _named_in(scheme)) if scheme else None
    if driver is None:
        if by_scheme is None:
            known = " or ".join(map(repr, BUILT_IN))
            raise ConfigurationError(f"there is no DSN: is its variable unset? Else pass driver={known}")
        return by_scheme
    name = driver.__name__ if isinstance(driver, ModuleType) else driver
    if not isinstance(name, str):
        raise ConfigurationError(f"driver must be a driver's name or its module, not {type(name).__name__}")
    if by_scheme not in {None, name} and not _reads(name, str(scheme)):
        own = f", or write a DSN that begins with {BUILT_IN[name].schemes[0]}://" if name in BUILT_IN else ""
        raise ConfigurationError(
            f"driver{shown(name)} contradicts the DSN's scheme, which is for {by_scheme}: omit driver={own}"
        )
    return name


def _reads(name: str, scheme: str) -> bool:
    """Whether a driver that is not the scheme's default may have it. Those of entry points may have any system's."""
    return scheme in BUILT_IN[name].schemes if name in BUILT_IN else "+" not in scheme


def _named_in(scheme: str) -> str:
    """Return the driver of another package that a scheme names after its plus sign."""
    name = scheme.partition("+")[2]
    if name and name not in BUILT_IN:
        return name
    raise ConfigurationError(f"dsn: unknown scheme {scheme!r}; available: {', '.join(_BY_SCHEME)}")


async def load(name: str) -> Driver:
    """Import a driver off the event loop, once for all callers."""
    if name not in _loaded:
        await threads.run(functools.partial(load_now, name), name="import", share_as=("driver", name))
    return _loaded[name]


def load_now(name: str) -> Driver:
    """Import a driver in this thread."""
    with threads.fork_barrier():
        if name in BUILT_IN:
            _loaded[name] = _import(name, BUILT_IN[name])
        elif name in (found := installed(ENTRY_POINT_GROUP)).names:
            _loaded[name] = found[name].load()()
        else:
            raise ConfigurationError(f"unknown driver{unknown(name, (*BUILT_IN, *sorted(found.names)))}")
    return _loaded[name]


def _import(name: str, built_in: BuiltIn) -> Driver:
    try:
        for library, version in built_in.oldest.items():
            _refuse_program_named(library)
            found = import_module(library).__version__
            if _numbers(found) < _numbers(version):
                raise ImportError(f"it needs {library} {version} or newer, not {found}")
        module, _, factory = built_in.factory.partition(":")
        driver: Driver = getattr(import_module(module), factory)()
    except ImportError as error:
        problem = f"is not installed (no module named {error.name!r})"
        if not isinstance(error, ModuleNotFoundError):
            problem = f"cannot be imported ({' '.join(str(error).split())})"
        raise DriverNotFoundError(f"driver {name!r} {problem}: pip install 'aws-iam-async[{name}]'") from error
    return driver


def _refuse_program_named(library: str) -> None:
    """A program with the name of a library would be imported instead of it, and run again in this thread."""
    program = getattr(sys.modules["__main__"], "__file__", None) or ""
    if f"/{program}".endswith(f"/{library}.py") and not sys.flags.safe_path:
        raise ConfigurationError(f"the program {library}.py has the name of the driver's library: rename it")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def loaded(name: str) -> Driver:
    return _loaded[name]
