"""What a login is signed for, read from the options. Pure."""

from typing import Any, NamedTuple

from aws_iam_async import endpoints
from aws_iam_async.errors import ConfigurationError, RegionError
from aws_iam_async.request import ConnectRequest
from aws_iam_async.tokens.lifetime import DEFAULT_EXPIRATION, parse_expiration

__all__ = ["OPTION_NAMES", "Login", "read"]

OPTION_NAMES = frozenset(
    {
        "cluster_instance_host_pattern",
        "credentials",
        "iam_default_port",
        "iam_host",
        "iam_region",
        "iam_token_expiration",
        "profile",
    }
)


class Login(NamedTuple):
    """What a token has to be signed for.

    Attributes:
        host: The RDS endpoint, in lower case.
        port: Its port.
        user: The database user.
        region: The signing region.
        expiration: Seconds a token may be served from the cache.
        server_name: The name to verify the server as, where another one is dialled.
    """

    host: str
    port: int
    user: str
    region: str
    expiration: float
    server_name: str | None


def read(request: ConnectRequest) -> Login:
    """Tell host, port, user and region of the token.

    The rules are those of the page "AWS IAM Authentication Plugin" of the AWS Advanced NodeJS Wrapper.

    Args:
        request: What is to be dialled, and the plugin's options.

    Raises:
        ConfigurationError: An option is wrong or missing.
        RegionError: Nothing says the region.
    """
    host, user, options = request.host, request.user, request.options
    iam_host, iam_default_port = options.get("iam_host"), options.get("iam_default_port")
    cluster_instance_host_pattern = options.get("cluster_instance_host_pattern")
    expiration = options.get("iam_token_expiration")
    if not user:
        raise ConfigurationError("user is missing: plugin 'iam' needs the database user that was granted rds_iam")
    if not host:
        raise ConfigurationError("host is missing: plugin 'iam' needs the RDS endpoint to connect to")
    if host.startswith("/"):
        raise ConfigurationError("host is a unix socket: plugin 'iam' sends its token over TLS only; pass a host name")
    signed_host = endpoints.normalise(host, "host")  # what cannot be dialled is not worth a token
    if iam_host is not None:
        signed_host = endpoints.normalise(iam_host, "iam_host")
    endpoint = endpoints.parse(signed_host)
    pattern = None
    if cluster_instance_host_pattern is not None:
        pattern = endpoints.parse_pattern(cluster_instance_host_pattern)
    if iam_host is None and endpoint is None:
        what = "an IP address" if endpoints.is_ip(signed_host) else "not an RDS endpoint"
        raise ConfigurationError(
            f"host {host!r} is {what}: pass iam_host= with the endpoint that it leads to,"
            " such as name.xyz.us-east-1.rds.amazonaws.com"
        )
    if iam_host is not None and endpoints.is_ip(signed_host):
        raise ConfigurationError(f"iam_host {iam_host!r} is an IP address: it must be the name of an RDS endpoint")
    return Login(
        host=signed_host,
        port=_port(request.port if iam_default_port is None else iam_default_port),
        user=user,
        region=_region(options.get("iam_region"), endpoint, pattern, signed_host),
        expiration=DEFAULT_EXPIRATION if expiration is None else parse_expiration(expiration, "iam_token_expiration"),
        server_name=signed_host if signed_host != host else None,
    )


def _port(port: Any) -> int:
    if port is None:
        raise ConfigurationError("iam_default_port is missing: nothing says the port to sign for")
    return endpoints.parse_port(port, "iam_default_port")


def _region(
    iam_region: Any,
    endpoint: endpoints.RdsEndpoint | None,
    pattern: endpoints.InstancePattern | None,
    signed_host: str,
) -> str:
    if iam_region is not None:
        return endpoints.normalise_region(iam_region)
    if endpoint is not None and endpoint.region is not None:
        return endpoint.region
    if pattern is not None and pattern.region is not None:
        return pattern.region
    if endpoint is None:
        raise RegionError(
            f"iam_host {signed_host!r} is not the name of an RDS endpoint, so it does not say the region: pass the"
            " endpoint's own name, such as name.xyz.us-east-1.rds.amazonaws.com"
        )
    # Never the environment's default region: a token for the wrong one fails at the server, with no reason given.
    raise RegionError(
        f"the region cannot be told from {signed_host!r}: pass iam_region=, for example iam_region='us-east-1'"
    )
