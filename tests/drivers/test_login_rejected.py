"""Which errors of a driver mean that the server refused user and password: only those are worth another token."""

import asyncpg
import psycopg
import pytest
from pymysql.err import InternalError, OperationalError

from aws_iam_async.drivers.aiomysql import AiomysqlDriver
from aws_iam_async.drivers.asyncpg import AsyncpgDriver
from aws_iam_async.drivers.psycopg import PsycopgDriver


def postgres(sqlstate: str, message: str, **fields: str) -> asyncpg.PostgresError:
    error = asyncpg.PostgresError.new({"C": sqlstate, "M": message, "S": "FATAL", **fields})
    assert isinstance(error, asyncpg.PostgresError)
    return error


@pytest.mark.parametrize(
    ("error", "rejected"),
    [
        (postgres("28P01", 'password authentication failed for user "app"'), True),
        (postgres("28000", 'PAM authentication failed for user "app"'), True),
        (postgres("28000", 'IAM authentication failed for user "app"'), True),
        (postgres("28000", 'no pg_hba.conf entry for host "10.0.0.7", user "app"'), False),
        (postgres("28000", 'role "app" is not permitted to log in'), False),
        (postgres("28000", 'Ident authentication failed for user "app"'), False),
        (postgres("28P01", "wrong", S="ERROR", V="ERROR"), False),  # a statement's
        (postgres("28P01", "Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen", V="FATAL"), True),
        (postgres("28000", "PAM-Authentifizierung für Benutzer »app« fehlgeschlagen", R="auth_failed"), True),
        (postgres("28000", 'ユーザー"app"のPAM認証に失敗しました', R="auth_failed"), True),
        (postgres("28000", "kein pg_hba.conf-Eintrag für Host »10.0.0.7«", R="ClientAuthentication"), False),
        (postgres("28000", "Rolle »app« existiert nicht", R="InitializeSessionUserId"), False),
        (postgres("08006", "unable to accept connection, access denied"), True),
        (
            postgres("08006", "unable to accept connection, access denied", H="Signature expired: 20270115T080000Z"),
            True,
        ),
        (postgres("08006", "unable to accept connection, access denied", S="ERROR", V="ERROR"), False),
        (postgres("08006", "unable to accept connection, sni was not received"), False),
        (postgres("08006", "unable to accept connection, waking up cluster, please retry later"), False),
        (postgres("53400", "Unable to accept connection, rate exceeded.", H="access denied"), False),
        (postgres("53300", "sorry, too many clients already"), False),
        (postgres("3D000", 'database "PAM authentication" does not exist'), False),
        (asyncpg.InterfaceError("PAM authentication"), False),
        (TimeoutError("PAM authentication"), False),
    ],
)
def test_asyncpg(error: Exception, *, rejected: bool) -> None:
    assert AsyncpgDriver().login_rejected(error) is rejected


@pytest.mark.parametrize(
    ("error", "rejected"),
    [
        (OperationalError(1045, "Access denied for user 'app'@'10.0.0.7' (using password: YES)"), True),
        (OperationalError(1044, "Access denied for user 'app'@'%' to database 'shop'"), False),
        (OperationalError(2003, "Can't connect to MySQL server on 'db' (1045)"), False),
        (OperationalError(), False),
        (InternalError(1040, "Too many connections"), False),
        (ConnectionRefusedError(1045, "Access denied"), False),
    ],
)
def test_aiomysql(error: Exception, *, rejected: bool) -> None:
    assert AiomysqlDriver().login_rejected(error) is rejected


FAILED = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '
SEVERAL = """{0}
Multiple connection attempts failed. All failures were:
- host: 'db', port: 5432, hostaddr: '10.0.0.7': {1}
- host: 'db', port: 5432, hostaddr: '10.0.0.8': {0}"""


@pytest.mark.parametrize(
    ("error", "rejected"),
    [
        (psycopg.OperationalError(f'{FAILED}FATAL:  password authentication failed for user "app"'), True),
        (psycopg.OperationalError(f'{FAILED}FATAL:  PAM authentication failed for user "app"'), True),
        (psycopg.OperationalError(f'{FAILED}FATAL:  IAM authentication failed for user "app"'), True),
        (
            psycopg.OperationalError(
                SEVERAL.format("Connection refused", f'{FAILED}FATAL:  PAM authentication failed for user "app"')
            ),
            True,
        ),
        (
            psycopg.OperationalError(
                f"{FAILED}FATAL:  unable to accept connection, access denied\nHINT:  Wrong user to action mapping."
            ),
            True,
        ),
        (psycopg.OperationalError(f"{FAILED}FATAL:  unable to accept connection, invalid sni"), False),
        (psycopg.OperationalError(f'{FAILED}FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "app"'), False),
        (psycopg.OperationalError(f'{FAILED}FATAL:  role "app" is not permitted to log in'), False),
        (psycopg.OperationalError(f'{FAILED}FATAL:  Ident authentication failed for user "app"'), False),
        (psycopg.OperationalError(f"{FAILED}FATAL:  sorry, too many clients already"), False),
        (psycopg.OperationalError(f'{FAILED}FATAL:  database "PAM authentication failed" does not exist'), False),
        (psycopg.OperationalError(f"{FAILED}Connection refused"), False),
        (psycopg.errors.ConnectionTimeout("connection timeout expired"), False),
        (psycopg.ProgrammingError("FATAL:  PAM authentication failed"), False),
        (TimeoutError("FATAL:  PAM authentication failed"), False),
    ],
)
def test_psycopg(error: Exception, *, rejected: bool) -> None:
    assert PsycopgDriver().login_rejected(error) is rejected
