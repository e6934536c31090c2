"""Put a token into the request, and get another one when the server refuses a cached one."""

import asyncio
import warnings
from types import MappingProxyType
from typing import Any

from aws_iam_async import endpoints
from aws_iam_async.plugins.iam import login
from aws_iam_async.plugins.iam.plan import Plan, Plans, plan, whose
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest
from aws_iam_async.tokens.key import TokenKey
from aws_iam_async.tokens.service import TokenService
from aws_iam_async.tokens.token import Token

__all__ = ["IamPlugin"]


class IamPlugin:
    """Logs in with an RDS IAM token.

    Args:
        tokens: Makes and keeps the tokens.
    """

    option_names = login.OPTION_NAMES

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens
        self._plans = Plans(_begin)

    async def check(self, request: ConnectRequest) -> None:
        """Refuse wrong options, for each host of the request, and have the TLS context ready.

        Raises:
            ConfigurationError: An option is wrong or missing.
        """
        from aws_iam_async import trust  # noqa: PLC0415 - the drivers bring it, so that importing the package does not

        for host, port in ((request.host, request.port), *request.alternates):
            try:
                one = await _located(request.replace(host=host, port=port))
            except OSError:
                continue  # the resolver may know the name by the time of the first connection
            await trust.context(plan(one).secured)
        whose(request)

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        """Log in with a token.

        A token that the server refuses is replaced once by a new one, signed with credentials that were read anew, if
        it came from the cache or the credentials behind it did. Otherwise, and the second time, the refusal is the
        driver's own exception, with notes on what was signed and what to check.
        """
        if request.password is not None:
            warnings.warn("password is ignored: plugin 'iam' logs in with a token", UserWarning, stacklevel=2)
        if request.options.get("iam_host") == AUTO:
            request = await _located(request)
        key, secured = self._plans.of(request)
        token, fresh = await self._tokens.get(key)
        try:
            return await call_next(request.replace(password=token.value, tls=secured))
        except Exception as error:
            if not request.login_rejected(error):
                raise
            if fresh:
                _explain(error, key, token)
                raise
        self._tokens.reject(key, token)
        token, _ = await self._tokens.get(key)
        try:
            return await call_next(request.replace(password=token.value, tls=secured))
        except Exception as error:
            if request.login_rejected(error):
                _explain(error, key, token)
            raise


AUTO = "auto"


async def _located(request: ConnectRequest) -> ConnectRequest:
    """Return the request with its host replaced by the endpoint behind it, if that is asked for."""
    if request.options.get("iam_host") != AUTO:
        return request
    from aws_iam_async.plugins.iam.canonical_name import endpoint_behind  # noqa: PLC0415 - for the few who ask for it

    # The endpoint is dialled by its own name, so what is signed for and verified is what the name leads to now.
    options = {name: value for name, value in request.options.items() if name != "iam_host"}
    return request.replace(host=await endpoint_behind(request.host), options=MappingProxyType(options))


def _begin(plan: Plan) -> None:
    from aws_iam_async import trust  # noqa: PLC0415 - as in check()

    # Takes as long as a credentials endpoint may: it is built while the token is waited for. Soon, not now: to start a
    # thread takes a millisecond or more, and many may be connecting in this pass of the loop.
    asyncio.get_running_loop().call_soon(trust.prepare, plan.secured)


def _explain(error: Exception, key: TokenKey, token: Token) -> None:
    error.add_note(
        f"The IAM token was new, signed for user {key.user!r} at {key.host}:{key.port} in {key.region}"
        f" with access key {token.access_key_id}."
    )
    endpoint = endpoints.parse(key.host)
    if endpoint is not None and endpoint.region not in {None, key.region}:
        error.add_note(f"The host is in {endpoint.region} by its name: leave iam_region out, or correct it.")
    if token.access_key_id.startswith("ASIA") and "X-Amz-Security-Token=" not in token.value:
        error.add_note(
            "An access key that begins with ASIA is temporary and counts only with its session token, which is missing:"
            " set AWS_SESSION_TOKEN as well."
        )
    error.add_note(
        "Check that the database user was granted rds_iam (PostgreSQL) or identified with AWSAuthenticationPlugin"
        " (MySQL); that the identity may do rds-db:connect on"
        f" arn:aws:rds-db:{key.region}:<account>:dbuser:<resource id>/{key.user};"
        " that host, port and region are the database's own; that the access key is active and the secret key its own;"
        " and that this machine's clock is right."
        " The command aws-iam-async check (extra cli) looks into all of it."
    )
