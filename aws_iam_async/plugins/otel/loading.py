"""Import the plugin, and OpenTelemetry with it: only when it is asked for."""

from typing import TYPE_CHECKING

from aws_iam_async.errors import PluginNotFoundError

if TYPE_CHECKING:
    from aws_iam_async.plugins.otel.plugin import OtelPlugin

__all__ = ["load"]


def load() -> "type[OtelPlugin]":
    """Return the plugin.

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
