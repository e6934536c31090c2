"""A login that the server refuses.

RDS says as little as it can: most of what is wrong with a token looks the same. So the likely causes come in an order,
first those for which there is evidence.
"""

from collections.abc import Collection
from dataclasses import dataclass

from aws_iam_async.cli.doctor.advice import clock, credentials, sql
from aws_iam_async.cli.doctor.advice import endpoint as endpoint_advice
from aws_iam_async.cli.doctor.advice.identity import about
from aws_iam_async.cli.doctor.advice.policy import missing_policy
from aws_iam_async.cli.doctor.advice.tls import too_many_connections
from aws_iam_async.cli.doctor.outcome import Advice
from aws_iam_async.cli.doctor.refusal import Refusal
from aws_iam_async.cli.doctor.sts import Identity
from aws_iam_async.endpoints import RdsEndpoint

__all__ = ["Evidence", "advise", "query_failed"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known when a login is refused.

    Attributes:
        driver: The driver.
        user: The database user.
        database: The database asked for; ``None`` if none was named.
        region: The region that was signed for.
        port: The port that was signed for.
        default_port: The driver's default port.
        dialled_port: The port that is dialled.
        port_is_dialled: The port was not given for signing: it is the one that is dialled.
        host_is_endpoint: The host that is dialled is the one that is signed for.
        endpoint: What the name says that was signed for.
        identity: What STS said, if it was asked and answered.
        session_token_mismatch: What is wrong with the session token beside this access key, if anything is.
        server_settings: The names of the server's settings that were asked for.
        complaint: What the server says.
    """

    driver: str
    user: str
    database: str | None
    region: str
    port: int
    default_port: int
    dialled_port: int | None
    port_is_dialled: bool
    host_is_endpoint: bool
    endpoint: RdsEndpoint | None
    identity: Identity | None
    session_token_mismatch: Advice | None
    server_settings: Collection[str]
    complaint: str


def advise(refusal: Refusal, evidence: Evidence) -> tuple[Advice, ...]:
    """Return the likely causes of a refused login, the likeliest first."""
    match refusal:
        case Refusal.TOKEN:
            return (*_with_evidence(evidence), *_without_evidence(evidence))
        case Refusal.NOT_IAM:
            return _not_iam(evidence)
        case Refusal.NO_DATABASE:
            return (_no_database(evidence),)
        case Refusal.NO_ACCESS_TO_DATABASE:
            return (_no_access(evidence),)
        case Refusal.SETTING:
            return (_wrong_setting(evidence),)
        case _:
            return (PLAIN[refusal],)


def query_failed() -> Advice:
    """A query fails right after the login."""
    return Advice(
        "query-failed",
        "The login works, but the server does not answer a query: it is overloaded, failing over, or something in "
        "between cuts connections.",
    )


PLAIN = {
    Refusal.NO_ENTRY: Advice(
        "pg-hba",
        "The server allows this user, database, address and encryption in no combination. On RDS that is a user who "
        "may not log in, or rds.force_ssl with a plaintext hop in between; elsewhere it is a line of pg_hba.conf.",
    ),
    Refusal.TOO_MANY_CONNECTIONS: too_many_connections(),
    Refusal.NOT_READY: Advice(
        "not-ready",
        "The server is starting up or shutting down, as in a failover. Try again shortly.",
    ),
    Refusal.HOST: Advice(
        "host-refused",
        "The server does not let this client's address in: the account is for another host, or it was blocked after "
        "many failed handshakes (FLUSH HOSTS).",
    ),
    Refusal.TIMEOUT: Advice(
        "login-timeout",
        "The server took the connection but did not finish the login in time: it is overloaded, or out of processes. "
        "RDS checks tokens on the instance itself, which needs free memory and CPU.",
    ),
    Refusal.OTHER: Advice("login-failed", "Look at what the server says above, and at its own log."),
}


def _with_evidence(evidence: Evidence) -> list[Advice]:
    identity, endpoint = evidence.identity, evidence.endpoint
    causes: list[Advice] = []
    if identity is not None:
        causes += about(identity)
    if evidence.session_token_mismatch is not None:
        causes.append(evidence.session_token_mismatch)
    if endpoint is None:
        causes.append(endpoint_advice.not_an_rds_name("What was signed for"))
    elif endpoint.region is not None and endpoint.region != evidence.region:
        causes.append(endpoint_advice.wrong_region(evidence.region, endpoint.region))
    signed, dialled, default = evidence.port, evidence.dialled_port, evidence.default_port
    if evidence.host_is_endpoint and dialled is not None and dialled != signed:
        causes.append(endpoint_advice.signed_port(signed, dialled))
    if evidence.port_is_dialled and not evidence.host_is_endpoint and signed != default:
        causes.append(endpoint_advice.tunnel_port(signed, default))
    return causes


def _without_evidence(evidence: Evidence) -> list[Advice]:
    identity, endpoint = evidence.identity, evidence.endpoint
    named = None if endpoint is None else endpoint.region
    causes = [
        missing_policy(
            region=named or evidence.region,  # what was signed for may be the mistake
            account=None if identity is None else identity.account,
            arn=None if identity is None else identity.arn,
            user=evidence.user,
            endpoint=endpoint,
        ),
        Advice(
            "not-granted",
            f"The database user {evidence.user} does not exist, or is not set up for IAM. As an administrator of the "
            "database:",
            sql.grant(evidence.driver, evidence.user),
        ),
    ]
    if identity is None:
        causes.append(credentials.credentials_unknown())
    if identity is None or identity.skew is None:
        causes.append(clock.clock_unknown())
    causes.append(
        Advice(
            "throttled",
            "RDS takes some 200 new tokens a second, and refuses more as if they were wrong. Share one PluginManager "
            "or one pool: they use one token for all connections.",
        )
    )
    return causes


def _not_iam(evidence: Evidence) -> tuple[Advice, ...]:
    causes = [
        Advice(
            "not-granted",
            f"The server wants a password of {evidence.user}, not a token: the user does not exist, or is not set up "
            "for IAM. As an administrator of the database:",
            sql.grant(evidence.driver, evidence.user),
        )
    ]
    name = "NAME" if evidence.endpoint is None else evidence.endpoint.host.partition(".")[0]
    kind = None if evidence.endpoint is None else evidence.endpoint.kind
    if kind in {"proxy", "proxy-endpoint"}:
        causes.append(
            Advice(
                "iam-not-enabled",
                f"Or the proxy does not ask for IAM: set IAMAuth to REQUIRED in its settings for {evidence.user}.",
                f"aws rds describe-db-proxies --db-proxy-name {name} --region {evidence.region}",
            )
        )
    else:
        what, aurora = ("instance", " (Aurora: on its cluster)") if kind == "instance" else ("cluster", "")
        causes.append(
            Advice(
                "iam-not-enabled",
                f"Or IAM database authentication is not enabled on the {what}{aurora}.",
                f"aws rds modify-db-{what} --db-{what}-identifier {name} --region {evidence.region}"
                " --enable-iam-database-authentication --apply-immediately",
            )
        )
    return tuple(causes)


def _no_database(evidence: Evidence) -> Advice:
    if evidence.database is None:
        text = "No database was named, so the one with the user's name was asked for. Name one: .../DATABASE"
        return Advice("no-database", text)
    quoted = _quoted_database(evidence.driver, evidence.database)
    return Advice(
        "no-database",
        "The login is right, the database's name is not. Correct it, or create it:",
        f"CREATE DATABASE {quoted};",
    )


def _no_access(evidence: Evidence) -> Advice:
    if evidence.driver == "asyncpg":
        database = sql.quoted_for_postgresql(evidence.database or evidence.user)
        code = f"GRANT CONNECT ON DATABASE {database} TO {sql.quoted_for_postgresql(evidence.user)};"
    else:
        database = _quoted_database(evidence.driver, evidence.database or "")
        code = f"GRANT ALL ON {database}.* TO {sql.quoted_for_mysql(evidence.user)};"
    return Advice(
        "no-access-to-database", "The login is right, but the user may not use this database (or there is none).", code
    )


def _wrong_setting(evidence: Evidence) -> Advice:
    # By our own spelling, not by the server's words: what those quote may be anything.
    named = [name for name in evidence.server_settings if f'"{name}"' in evidence.complaint]
    which = f"a setting {named[0]}" if named else "one of the settings asked for"
    return Advice(
        "server-setting",
        f"The token was right, but the server does not know {which}, or does not take its value. What connect() does "
        "not know in a DSN's query is sent to the server as a setting: correct it, or leave it out.",
    )


def _quoted_database(driver: str, name: str) -> str:
    return sql.quoted_for_postgresql(name) if driver == "asyncpg" else "`" + name.replace("`", "``") + "`"
