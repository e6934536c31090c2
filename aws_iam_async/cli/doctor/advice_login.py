"""Advice on a refused login and a failed query, with the SQL and the IAM policy that a login needs.

RDS and Aurora DSQL give the same reason for most problems with a token. So there are several likely causes: first those
with evidence.
"""

import json
import re
from dataclasses import replace

from aws_iam_async import drivers, endpoints
from aws_iam_async.cli.doctor import advice_setup
from aws_iam_async.cli.doctor.findings import Advice, Findings
from aws_iam_async.cli.doctor.refusal import REFUSALS, Refusal
from aws_iam_async.endpoints import Endpoint
from aws_iam_async.tokens.token import DSQL, RDS

QUERY_FAILED = Advice(
    "query-failed",
    "The login works, but the server does not answer a query. It is overloaded or failing over, or a device in between "
    "closes connections.",
)
THROTTLED = Advice(
    "throttled",
    "RDS accepts about 200 new tokens a second, and refuses more as if they were wrong. Share one PluginManager or one "
    "pool, which use one token for all connections.",
)
SERVER_REFUSES = Advice(
    "server-refuses", "The server refuses connections before any login. Read its message above and its own log."
)
SECRET_REFUSED = Advice(
    "secret-refused",
    "The server refuses the user and password of the secret. The secret belongs to another database, a rotation failed "
    "or has not finished, or the password was changed without the secret. Rotate the secret, or correct it:",
    "aws secretsmanager rotate-secret --secret-id NAME",
)
# The refusals that need no findings.
ADVICE = {
    Refusal.NO_ENTRY: Advice(
        "pg-hba",
        "The server does not allow this combination of user, database, address and encryption. On RDS, the user may "
        "not log in, or rds.force_ssl is on and a hop in between uses plaintext. Elsewhere, correct pg_hba.conf.",
    ),
    Refusal.TOO_MANY_CONNECTIONS: Advice(
        "too-many-connections",
        "The server has as many connections as it allows. Close idle connections, make pools smaller (max_size, "
        "maxsize), use RDS Proxy, or raise the limit (max_connections in the parameter group).",
    ),
    Refusal.NOT_READY: Advice(
        "not-ready", "The server is starting up or shutting down, as in a failover. Try again shortly."
    ),
    Refusal.HOST: Advice(
        "host-refused",
        "The server refuses this client's address. The account is for another host, or the address was blocked after "
        "many failed handshakes (FLUSH HOSTS).",
    ),
    Refusal.TIMEOUT: Advice(
        "login-timeout",
        "The server accepted the connection but did not finish the login in time. It is overloaded, or out of "
        "processes. RDS checks tokens on the instance itself, which needs free memory and CPU.",
    ),
    Refusal.OTHER: Advice("login-failed", "Read the server's message above and its own log."),
}


def refused_before_login(code: int | str | None) -> Advice:
    """Return the cause of an error that the server sends before any login."""
    return SERVER_REFUSES if code not in REFUSALS else ADVICE.get(REFUSALS[code], SERVER_REFUSES)


def likely_causes(refusal: Refusal, findings: Findings, message: str) -> tuple[Advice, ...]:
    """Return the likely causes of a refused login with a message of the server, most likely first."""
    causes: tuple[Advice, ...]
    match refusal:
        case Refusal.TOKEN | Refusal.NOT_IAM if findings.target.plugin != "iam":
            causes = (_token_required(findings) if "PAM authentication" in message else SECRET_REFUSED,)
        case Refusal.NOT_IAM if findings.signing_target.kind is RDS:
            causes = (_password_required(findings), _iam_not_enabled(findings))
        case Refusal.TOKEN | Refusal.NOT_IAM:
            causes = (
                *_causes_by_hint(findings, message),
                *_causes_with_evidence(findings),
                *_causes_without_evidence(findings),
            )
        case Refusal.NO_DATABASE:
            causes = (_no_database(findings),)
        case Refusal.NO_ACCESS_TO_DATABASE:
            causes = (_no_access(findings),)
        case Refusal.SETTING:
            causes = (_wrong_setting(findings, message),)
        case _:
            causes = (ADVICE[refusal],)
    return causes


def _causes_by_hint(findings: Findings, message: str) -> list[Advice]:
    """Return the causes that Aurora DSQL names in a hint; RDS never does."""
    causes = []
    if "is not authorized to" in message:
        causes.append(replace(missing_policy(findings), certain=True))
    if "Signature expired: " in message:
        causes.append(advice_setup.CLOCK_BEHIND)
    return causes


def _causes_with_evidence(findings: Findings) -> list[Advice]:
    target, endpoint, credentials = findings.signing_target, findings.endpoint, findings.snapshot.credentials
    causes: list[Advice] = []
    if findings.identity is not None:
        causes += advice_setup.identity_problems(findings.identity)
    mismatch = advice_setup.session_token_mismatch(credentials.access_key, credentials.session_token)
    if mismatch is not None:
        causes.append(replace(mismatch, certain=True))
    if endpoint is None:
        causes.append(advice_setup.not_an_endpoint("The host that was signed for"))
    elif endpoint.region is not None and endpoint.region != target.region:
        causes.append(advice_setup.wrong_region(target.region, endpoint.region))
    return [*causes, *_causes_in_the_port(findings)] if target.kind.signs_port else causes


def _causes_in_the_port(findings: Findings) -> list[Advice]:
    signed, dialled = findings.signing_target.port, findings.request.port
    default = drivers.loaded(findings.driver).default_port
    if findings.tls.server_name is None:  # the endpoint itself is dialled
        return [advice_setup.signed_port(signed, dialled)] if dialled not in {None, signed} else []
    if "iam_default_port" not in findings.request.options and signed != default:
        return [advice_setup.tunnel_port(signed, dialled, default)]
    return []


def _causes_without_evidence(findings: Findings) -> list[Advice]:
    target, dialled = findings.signing_target, findings.request.port
    causes = [missing_policy(findings)]
    if (sql := _grant_of(findings)) is not None:
        text = (
            f"The database user {target.user} does not exist, or is not set up for IAM. As an administrator of the "
            "database, create or grant it:"
        )
        causes.append(Advice("not-granted", text, sql))
    default = drivers.loaded(findings.driver).default_port
    if target.kind.signs_port and findings.tls.server_name is not None and target.port != dialled:
        causes.append(advice_setup.tunnel_port(target.port, dialled, default))
    if findings.identity is None:
        causes.append(advice_setup.CREDENTIALS_UNKNOWN)
    if findings.identity is None or findings.identity.skew is None:
        causes.append(advice_setup.CLOCK_UNKNOWN)
    return [*causes, THROTTLED] if target.kind is RDS else causes


def _password_required(findings: Findings) -> Advice:
    user = findings.signing_target.user
    return Advice(
        "not-granted",
        f"The server requires a password of {user}, not a token. The user does not exist, or is not set up for IAM. "
        "As an administrator of the database, create or grant it:",
        grant(findings.system, user),
    )


def _token_required(findings: Findings) -> Advice:
    user = str(findings.request.user)
    return Advice(
        "token-required",
        f"The server accepts only a token from {user}, not a password. Omit all secret_* options, or take the role "
        "rds_iam from the user:",
        f"REVOKE rds_iam FROM {quoted_user(findings.system, user)};",
    )


def _iam_not_enabled(findings: Findings) -> Advice:
    endpoint, region = findings.endpoint, findings.signing_target.region
    name = "NAME" if endpoint is None else endpoint.host.partition(".")[0]
    kind = None if endpoint is None else endpoint.kind
    if kind in {"proxy", "proxy-endpoint"}:
        return Advice(
            "iam-not-enabled",
            "Or the proxy does not require IAM. Set IAMAuth to REQUIRED in its settings for "
            f"{findings.signing_target.user}.",
            f"aws rds describe-db-proxies --db-proxy-name {name} --region {region}",
        )
    server, note = ("instance", " (for Aurora, on its cluster)") if kind == "instance" else ("cluster", "")
    return Advice(
        "iam-not-enabled",
        f"Or IAM database authentication is not enabled on the {server}{note}.",
        f"aws rds modify-db-{server} --db-{server}-identifier {name} --region {region}"
        " --enable-iam-database-authentication --apply-immediately",
    )


def _no_database(findings: Findings) -> Advice:
    database = findings.request.database
    if database is None:
        return Advice(
            "no-database",
            "The DSN names no database, so the driver requested the database with the user's name. Add a name: "
            ".../DATABASE",
        )
    if findings.signing_target.kind is DSQL:
        return Advice("no-database", "Aurora DSQL has one database, postgres. Pass that name.", "--database postgres")
    return Advice(
        "no-database",
        "The login works, but the database does not exist. Correct its name, or create it:",
        f"CREATE DATABASE {quoted_identifier(findings.system, database)};",
    )


def _no_access(findings: Findings) -> Advice:
    system, user = findings.system, str(findings.request.user)
    database = quoted_identifier(system, findings.request.database or (user if system == "postgresql" else ""))
    if system == "postgresql":
        code = f"GRANT CONNECT ON DATABASE {database} TO {quoted_user(system, user)};"
    else:
        code = f"GRANT ALL ON {database}.* TO {quoted_user(system, user)};"
    text = "The login works, but the user may not use this database, or the database does not exist."
    return Advice("no-access-to-database", text, code)


def _wrong_setting(findings: Findings, message: str) -> Advice:
    # Spelled as in the options, since a server's message may quote anything.
    names = [name for name in findings.request.driver_options.get("server_settings") or () if f'"{name}"' in message]
    setting = f"the setting {names[0]}" if names else "a setting"
    return Advice(
        "server-setting",
        f"The login is valid, but the server does not know {setting}, or does not accept its value. Correct the "
        "setting, or leave it out. Names in a DSN's query that connect() does not know are sent as settings.",
    )


# In PostgreSQL.
PLAIN_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
# The reserved words that could be the name of a user.
RESERVED_WORDS = frozenset(
    {"all", "analyse", "analyze", "any", "check", "column", "current_role", "current_user", "default", "do", "end"}
    | {"group", "order", "primary", "references", "session_user", "table", "user", "window"}
)


def _grant_of(findings: Findings) -> str | None:
    """Return the SQL that lets the user log in with IAM; ``None`` if that is always so."""
    target, identity = findings.signing_target, findings.identity
    if target.kind is RDS:
        return grant(findings.system, target.user)
    if target.user == "admin":
        return None
    name = quoted_user(findings.system, target.user)
    arn = f"arn:{endpoints.partition(target.region)}:iam::ACCOUNT:role/NAME"
    if identity is not None and identity.arn is not None:
        # A role's session; the role's path is not in its ARN.
        arn = re.sub(r":sts::(\d+):assumed-role/([^/]+)/.*", r":iam::\1:role/\2", identity.arn)
    return f"CREATE ROLE {name} WITH LOGIN;  -- if there is none yet\nAWS IAM GRANT {name} TO '{arn}';"


def grant(system: str, user: str) -> str:
    name = quoted_user(system, user)
    if system == "postgresql":
        return f"CREATE USER {name};  -- if there is none yet\nGRANT rds_iam TO {name};"
    return (
        f"CREATE USER {name} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;\n"
        f"-- or, if there is one: ALTER USER {name} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;"
    )


def quoted_identifier(system: str, name: str) -> str:
    """Return an identifier, quoted if PostgreSQL needs that, and always for MySQL."""
    if system == "mysql":
        return "`" + name.replace("`", "``") + "`"
    if PLAIN_IDENTIFIER.fullmatch(name) and name not in RESERVED_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def quoted_user(system: str, user: str) -> str:
    r"""Return a user, for MySQL as ``'user'@'%'``: a doubled apostrophe works with and without ``\`` escapes."""
    if system == "postgresql":
        return quoted_identifier(system, user)
    name = user.replace("\\", "\\\\").replace("'", "''")
    return f"'{name}'@'%'"


def missing_policy(findings: Findings) -> Advice:
    """No policy allows the identity to connect as this user.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
    """
    target, identity = findings.signing_target, findings.identity
    arn = None if identity is None else identity.arn
    account = None if identity is None else identity.account
    statement = {"Effect": "Allow", "Action": target.action, "Resource": target.resource(account or "ACCOUNT")}
    owner = "the identity" if arn is None else policy_owner(arn)
    if target.kind is RDS:
        text = (
            f"The policies of {owner} do not allow {target.action} to this user of this database. Attach a statement "
            f"that does. In it, RESOURCE_ID is {resource_id(findings.endpoint)}, not a name:"
        )
    else:
        text = f"The policies of {owner} do not allow {target.action} to this cluster. Attach a statement that does:"
    return Advice("missing-policy", text, json.dumps(statement, indent=2))


def policy_owner(arn: str) -> str:
    role = re.fullmatch(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.*", arn)
    return f"role {role[1]}" if role else arn


def resource_id(endpoint: Endpoint | None) -> str:
    match None if endpoint is None else endpoint.kind:
        case "instance":
            return "the DbiResourceId of the instance (db-...), or for Aurora the DbClusterResourceId (cluster-...)"
        case "proxy" | "proxy-endpoint":
            return "the last part of the proxy's ARN (prx-...)"
        case None:
            return "the id of the instance (db-...), the cluster (cluster-...) or the proxy (prx-...)"
        case _:
            return "the DbClusterResourceId of the cluster (cluster-...)"
