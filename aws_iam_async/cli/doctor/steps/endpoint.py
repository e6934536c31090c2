"""The endpoint: the RDS name that is signed for, which need not be the one that is dialled."""

import asyncio
from types import MappingProxyType

from aws_iam_async import ConfigurationError, ConnectRequest, RegionError, endpoints
from aws_iam_async.cli.connection import spelt_for_the_shell
from aws_iam_async.cli.doctor.advice import endpoint as advice
from aws_iam_async.cli.doctor.advice.network import name_not_found
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError
from aws_iam_async.plugins.iam import login
from aws_iam_async.plugins.iam.canonical_name import endpoint_behind
from aws_iam_async.plugins.iam.plugin import AUTO

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Tell what is signed for."""
    request = found.request
    if request.options.get("iam_host") == AUTO:
        request = found.request = await _located(request, found.target.timeout)
    try:
        found.login = login.read(request)
    except RegionError as error:
        found.login = error
    except ConfigurationError as error:
        if not _may_be_an_alias(request):
            raise
        behind = await _behind(str(request.host), found.target.timeout)
        raise StepFailedError(spelt_for_the_shell(str(error)), advice.iam_host_missing(behind)) from error
    name = request.options.get("iam_host", request.host)
    found.endpoint = endpoints.parse(name)
    port = endpoints.parse_port(request.options.get("iam_default_port", request.port))
    if found.endpoint is None:
        return Passed(f"{name}:{port}, dialled as {request.host}:{request.port}", (advice.not_an_rds_name(name),))
    dialled = (request.host or "").lower().removesuffix(".")
    signed = f"{found.endpoint.kind} endpoint {found.endpoint.host}:{port}"
    if (dialled, request.port) == (found.endpoint.host, port):
        return Passed(signed)
    return Passed(f"{signed}, dialled as {dialled}:{request.port}")


def _may_be_an_alias(request: ConnectRequest) -> bool:
    """Whether there is a host that is no RDS endpoint, and nothing says which one it leads to."""
    host = request.host
    if not host or not request.user or "iam_host" in request.options:
        return False
    return not host.startswith("/") and endpoints.parse(host) is None


async def _located(request: ConnectRequest, seconds: float) -> ConnectRequest:
    """Put the endpoint behind the host in its place, as the plugin does."""
    try:
        async with asyncio.timeout(seconds):
            host = await endpoint_behind(request.host)
    except OSError as error:
        raise StepFailedError(
            f"{request.host}: {error.strerror or type(error).__name__}", name_not_found(str(request.host))
        ) from error
    options = {name: value for name, value in request.options.items() if name != "iam_host"}
    return request.replace(host=host, options=MappingProxyType(options))


async def _behind(host: str, seconds: float) -> str | None:
    """Return the endpoint that a name leads to, if it leads to one."""
    try:
        async with asyncio.timeout(seconds):
            return await endpoint_behind(host)
    except (OSError, ConfigurationError):
        return None
