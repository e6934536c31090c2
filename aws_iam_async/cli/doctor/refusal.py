"""Read from a driver's exception what the server refused. Pure, and without importing the driver."""

from enum import Enum

from aws_iam_async import InsecureTransportError

__all__ = ["Refusal", "read"]


class Refusal(Enum):
    """What the server's answer says for certain."""

    TOKEN = "the token"  # noqa: S105 - no secret
    NOT_IAM = "the user is not one who logs in with IAM, or does not exist"
    NO_DATABASE = "the database does not exist"
    NO_ACCESS_TO_DATABASE = "the user may not connect to the database"
    SETTING = "it does not know a setting, or does not take its value"
    TOO_MANY_CONNECTIONS = "there are too many connections"
    NO_ENTRY = "pg_hba.conf has no entry for this"
    NOT_READY = "the server is starting up or shutting down"
    HOST = "the client's host is not welcome"
    TIMEOUT = "the server did not answer in time"
    OTHER = "something else"


# https://www.postgresql.org/docs/18/errcodes-appendix.html
SQLSTATES = {
    "28P01": Refusal.NOT_IAM,  # the server wanted a password
    "3D000": Refusal.NO_DATABASE,
    "22023": Refusal.SETTING,  # its value
    "42704": Refusal.SETTING,  # its name
    "42501": Refusal.NO_ACCESS_TO_DATABASE,
    "53300": Refusal.TOO_MANY_CONNECTIONS,
    "57P01": Refusal.NOT_READY,
    "57P02": Refusal.NOT_READY,
    "57P03": Refusal.NOT_READY,
}
# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
NUMBERS = {
    1040: Refusal.TOO_MANY_CONNECTIONS,
    1044: Refusal.NO_ACCESS_TO_DATABASE,
    1049: Refusal.NO_DATABASE,
    1053: Refusal.NOT_READY,
    1129: Refusal.HOST,
    1130: Refusal.HOST,
    1203: Refusal.TOO_MANY_CONNECTIONS,
    1226: Refusal.TOO_MANY_CONNECTIONS,
}
ACCESS_DENIED = 1045


def read(error: BaseException) -> Refusal:
    """Tell what a failed login says.

    Args:
        error: What ``connect()`` raised.
    """
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        return Refusal.TIMEOUT
    if isinstance(error, InsecureTransportError):
        return Refusal.NOT_IAM  # TLS has been seen by now: what is left is that a hash was asked for
    number = error.args[0] if error.args else None
    if isinstance(number, int):  # PyMySQL's; its newer errors have an SQLSTATE as well, which says less
        return _of_mysql(number, str(error))
    sqlstate = getattr(error, "sqlstate", None)
    return _of_postgresql(sqlstate, str(error)) if isinstance(sqlstate, str) else Refusal.OTHER


def _of_mysql(number: int, message: str) -> Refusal:
    if number != ACCESS_DENIED:
        return NUMBERS.get(number, Refusal.OTHER)
    # Where the account is one for IAM, the server asks for the token, and says so. Else nothing was sent to it.
    return Refusal.NOT_IAM if "using password: NO" in message else Refusal.TOKEN


def _of_postgresql(sqlstate: str, message: str) -> Refusal:
    if sqlstate != "28000":
        return SQLSTATES.get(sqlstate, Refusal.OTHER)
    if "no pg_hba.conf entry" in message:
        return Refusal.NO_ENTRY
    return Refusal.TOKEN if "authentication failed" in message else Refusal.NOT_IAM
