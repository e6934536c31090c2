"""Plugins by their codes: built in, registered, or found as entry points of installed packages."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TypeAlias

from aws_iam_async import threads
from aws_iam_async.errors import ConfigurationError, PluginNotFoundError
from aws_iam_async.names import installed, unknown
from aws_iam_async.plugins.protocol import Plugin
from aws_iam_async.tokens.service import TokenService

ENTRY_POINT_GROUP = "aws_iam_async.plugins"

Factory: TypeAlias = Callable[[], Plugin]

registered: dict[str, Factory] = {}  # of this process


# By code: where the plugin is. Each is imported on first use.
_BUILT_IN: Mapping[str, str] = {
    "iam": "aws_iam_async.plugins.iam:IamPlugin",
    "role": "aws_iam_async.plugins.role:RolePlugin",
    "secrets_manager": "aws_iam_async.plugins.secrets_manager:SecretsManagerPlugin",
    "otel": "aws_iam_async.plugins.otel:OtelPlugin",
}


def register_plugin(code: str, factory: Callable[[], Plugin]) -> None:
    """Make a plugin available under a code, as in ``connect(..., plugins="code,iam")``.

    A code that was registered before is replaced. Existing managers keep their plugins.

    Args:
        code: One word without commas. ``iam``, ``role``, ``secrets_manager`` and ``otel`` are taken.
        factory: Called without arguments, once for each manager that names the code.

    Raises:
        ConfigurationError: ``code`` is not such a word or is built in, or ``factory`` is not callable.
    """
    if not isinstance(code, str) or not code or code != code.strip() or "," in code:
        raise ConfigurationError(f"plugin code {code!r}: use one word without commas or surrounding spaces")
    if code in _BUILT_IN:
        raise ConfigurationError(f"plugin code {code!r} is built in; use another one")
    if not callable(factory):
        raise ConfigurationError(f"plugin {code!r}: the factory must be callable without arguments")
    registered[code] = factory


def split(plugins: str | Iterable[str | Plugin]) -> tuple[str | Plugin, ...]:
    """Parse a ``plugins`` argument: a comma-separated string, or a sequence of codes and instances, outermost first."""
    if isinstance(plugins, str):
        return _split_codes(plugins)
    if not isinstance(plugins, Iterable):
        raise ConfigurationError(
            f"plugins must be a string or a sequence of codes and plugins, not {type(plugins).__name__}"
        )
    chain: list[str | Plugin] = []
    for plugin in plugins:
        if isinstance(plugin, str):
            chain.extend(_split_codes(plugin))
        elif isinstance(plugin, Plugin) and not isinstance(plugin, type):
            chain.append(plugin)
        else:
            raise ConfigurationError(
                f"plugins: {plugin!r} is neither a code nor an instance with 'async def connect(request, call_next)'"
            )
    return tuple(chain)


@functools.lru_cache
def _split_codes(codes: str) -> tuple[str, ...]:
    split = tuple(code.strip() for code in codes.split(",")) if codes.strip() else ()
    if "" in split:
        raise ConfigurationError("plugins: there is nothing between two commas; write plugins='a,b'")
    return split


async def discover(plugins: Iterable[str | Plugin]) -> None:
    """Import plugins in a thread, so that :func:`create` does not import them on the event loop."""
    for code in plugins:
        if isinstance(code, str) and code not in registered:
            find = _built_in if code in _BUILT_IN else _entry_point
            await threads.run(functools.partial(find, code), name=f"plugin {code}")


def create(plugins: Sequence[str | Plugin], tokens: TokenService) -> tuple[Plugin, ...]:
    """Replace codes by plugins. Each code makes one plugin; instances stay as they are."""
    codes = dict.fromkeys(plugin for plugin in plugins if isinstance(plugin, str))
    created = {code: _create(code, tokens) for code in codes}
    chain = tuple(created[plugin] if isinstance(plugin, str) else plugin for plugin in plugins)
    logins = dict.fromkeys(login for plugin in chain if (login := getattr(plugin, "own_login", None)))
    if len(logins) > 1:
        raise ConfigurationError(f"plugins: {' and '.join(logins)}; keep one of them")
    return chain


def _create(code: str, tokens: TokenService) -> Plugin:
    if code in _BUILT_IN:
        return _built_in(code)(tokens)
    plugin = (registered.get(code) or _entry_point(code))()
    if not isinstance(plugin, Plugin):
        raise ConfigurationError(f"plugin {code!r}: its factory returned {type(plugin).__name__}, without connect()")
    return plugin


@functools.cache
def _built_in(code: str) -> Callable[[TokenService], Plugin]:
    module, _, name = _BUILT_IN[code].partition(":")
    try:
        with threads.fork_barrier():
            factory: Callable[[TokenService], Plugin] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise PluginNotFoundError(
            f"plugin {code!r} needs the module {error.name!r}: pip install 'aws-iam-async[{code}]'"
        ) from error
    return factory


@functools.cache
def _entry_point(code: str) -> Factory:
    found = installed(ENTRY_POINT_GROUP)
    if code in found.names:
        factory: Factory = found[code].load()
        return factory
    raise PluginNotFoundError(
        f"unknown plugin{unknown(code, sorted({*_BUILT_IN, *registered, *found.names}))}."
        " This package has no others: remove it from plugins=, or define it yourself and call register_plugin()"
    )
