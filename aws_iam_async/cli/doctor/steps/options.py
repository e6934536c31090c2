"""The DSN and the options, read by ``connect()``'s own rules."""

from typing import Any

from aws_iam_async import ConnectNext, ConnectRequest, PluginManager, dsn, endpoints, trust
from aws_iam_async.cli.doctor.advice import setup
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError
from aws_iam_async.plugins.iam.login import OPTION_NAMES

__all__ = ["run"]


async def run(found: Findings) -> Passed:
    """Read them."""
    target = found.target
    hosts = dsn.parse(target.dsn).hosts
    if len(hosts) > 1 and "host" not in target.options:
        raise StepFailedError(f"the DSN names {len(hosts)} hosts", setup.one_host_at_a_time())
    request = await PluginManager([_InsteadOfDialling()]).connect(target.dsn, **target.options)
    if not request.user:
        raise StepFailedError("user is missing", setup.user_missing())
    if (port := request.options.get("iam_default_port")) is not None:
        endpoints.parse_port(port, "iam_default_port")
    secured = request.tls.secured()  # refuses modes that may be plaintext
    await trust.context(secured)  # and this, a file that cannot be read
    mode = secured.mode
    warnings = []
    if request.password is not None:
        warnings.append(setup.password_ignored())
    if mode != "verify-full":
        warnings.append(setup.not_verified(str(mode)))
    found.request = request
    database = "" if request.database is None else f"database {request.database}, "
    return Passed(f"user {request.user}, {database}sslmode {mode}", tuple(warnings))


class _InsteadOfDialling:
    """Takes the place of the plugin ``iam``, and hands back what that would be asked for."""

    option_names = OPTION_NAMES

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - that is the point
        return request
