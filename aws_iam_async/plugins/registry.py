"""Plugins by their codes: built in, registered, or found as entry points of installed packages."""

import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from aws_iam_async import offload
from aws_iam_async.errors import ConfigurationError, PluginNotFoundError
from aws_iam_async.option_names import nearest
from aws_iam_async.plugins.protocol import Plugin

if TYPE_CHECKING:
    from aws_iam_async.plugins.otel.plugin import OtelPlugin

__all__ = ["ENTRY_POINT_GROUP", "create", "discover", "otel", "register_plugin", "split"]

ENTRY_POINT_GROUP = "aws_iam_async.plugins"

Factory = Callable[[], Plugin]

_BUILT_IN = ("iam", "otel")


def otel() -> "type[OtelPlugin]":
    """Return the plugin ``otel``, which is built in, but with imports that only those pay for who ask for it.

    Raises:
        PluginNotFoundError: OpenTelemetry is not installed.
    """
    try:
        from aws_iam_async.plugins.otel.plugin import OtelPlugin  # noqa: PLC0415 - costs nothing where it is not used
    except ModuleNotFoundError as error:
        raise PluginNotFoundError(
            f"plugin 'otel' needs OpenTelemetry (no module named {error.name!r}): pip install 'aws-iam-async[otel]'"
        ) from error
    return OtelPlugin


_IMPORTS: Mapping[str, Callable[[], object]] = MappingProxyType({"otel": otel})

_registered: dict[str, Factory] = {}
_discovered: dict[str, Factory] = {}
_imported: set[str] = set()


def register_plugin(code: str, factory: Factory) -> None:
    """Make a plugin available under a code, as in ``connect(..., plugins="code,iam")``.

    A code that was registered before is replaced; managers that exist already keep what they have.

    Args:
        code: One word without commas. ``iam`` and ``otel`` are taken.
        factory: Called without arguments, once for each manager that names the code.

    Raises:
        ConfigurationError: ``code`` is not such a word or is built in, or ``factory`` cannot be called.
    """
    if not isinstance(code, str) or not code or code != code.strip() or "," in code:
        raise ConfigurationError(f"plugin code {code!r}: use one word without commas or surrounding spaces")
    if code in _BUILT_IN:
        raise ConfigurationError(f"plugin code {code!r} is built in; register yours under another one")
    if not callable(factory):
        raise ConfigurationError(f"plugin {code!r}: the factory must be callable without arguments")
    _registered[code] = factory


def split(plugins: str | Iterable[str | Plugin]) -> tuple[str | Plugin, ...]:
    """Read a ``plugins`` argument: a comma-separated text, or a sequence of codes and instances, outermost first.

    Raises:
        ConfigurationError: It is neither, or a code is empty.
    """
    if isinstance(plugins, str):
        return _codes(plugins)
    if not isinstance(plugins, Iterable):
        raise ConfigurationError(
            f"plugins must be a text or a sequence of codes and plugins, not {type(plugins).__name__}"
        )
    parts: list[str | Plugin] = []
    for part in plugins:
        if isinstance(part, str):
            parts.extend(_codes(part))
        elif isinstance(part, Plugin) and not isinstance(part, type):
            parts.append(part)
        else:
            raise ConfigurationError(
                f"plugins: {part!r} is neither a code nor an instance with 'async def connect(request, call_next)'"
            )
    return tuple(parts)


async def discover(plugins: Iterable[str | Plugin]) -> None:
    """Import those among these that are not imported yet, off the event loop: ``create`` would do it on it.

    Raises:
        PluginNotFoundError: Nobody knows a code.
    """
    for code in plugins:
        if not isinstance(code, str):
            continue
        if code in _IMPORTS and code not in _imported:
            await offload.wait(offload.start(_IMPORTS[code], name=f"plugin {code}"))
            _imported.add(code)
        elif not any(code in known for known in (_BUILT_IN, _registered, _discovered)):
            find = functools.partial(_entry_point, code)
            _discovered[code] = await offload.wait(offload.start(find, name=f"plugin {code}"))


def create(plugins: Iterable[str | Plugin], built_in: Mapping[str, Factory]) -> tuple[Plugin, ...]:
    """Turn codes into plugins: each code is made once, instances stay as they are.

    Args:
        plugins: What :func:`split` returned.
        built_in: The factories of the codes that this package brings.

    Raises:
        PluginNotFoundError: Nobody knows a code.
        ConfigurationError: What a factory made is no plugin.
    """
    made: dict[str, Plugin] = {}
    chain: list[Plugin] = []
    for plugin in plugins:
        if not isinstance(plugin, str):
            chain.append(plugin)
            continue
        if plugin not in made:
            made[plugin] = _make(plugin, built_in)
        chain.append(made[plugin])
    return tuple(chain)


@functools.lru_cache(maxsize=64)
def _codes(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    codes = tuple(code.strip() for code in text.split(","))
    if "" in codes:
        raise ConfigurationError(f"plugins={text!r}: there is nothing between two commas; write plugins='a,b'")
    return codes


def _make(code: str, built_in: Mapping[str, Factory]) -> Plugin:
    factory = built_in.get(code) or _registered.get(code) or _discovered.get(code) or _entry_point(code)
    plugin = factory()
    if not isinstance(plugin, Plugin):
        raise ConfigurationError(
            f"plugin {code!r}: its factory returned {type(plugin).__name__}, which has no connect()"
        )
    return plugin


def _entry_point(code: str) -> Factory:
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs 10 ms, and few users have such plugins

    found = entry_points(group=ENTRY_POINT_GROUP)
    for entry_point in found.select(name=code):
        factory: Factory = entry_point.load()
        return factory
    known = sorted({*_BUILT_IN, *_registered, *found.names})
    meant = nearest(code, known)
    hint = f"did you mean {meant!r}? Known" if meant else "known"
    raise PluginNotFoundError(
        f"plugins: nobody knows {code!r}; {hint}: {', '.join(known)}."
        " Install the package that brings it, or call register_plugin() first."
    )
