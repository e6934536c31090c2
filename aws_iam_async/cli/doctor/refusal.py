"""What a failed login says for certain."""

import re
from enum import Enum, auto

from aws_iam_async import drivers
from aws_iam_async.errors import InsecureTransportError


class Refusal(Enum):
    TOKEN = auto()
    NOT_IAM = auto()  # the user is not set up for IAM, or does not exist
    NO_DATABASE = auto()
    NO_ACCESS_TO_DATABASE = auto()
    SETTING = auto()  # the server does not know a setting, or does not accept its value
    TOO_MANY_CONNECTIONS = auto()
    NO_ENTRY = auto()  # pg_hba.conf has no entry for this connection
    NOT_READY = auto()  # the server is starting up or shutting down
    HOST = auto()  # the server refuses the client's address
    TIMEOUT = auto()
    OTHER = auto()


# SQLSTATEs of PostgreSQL, and error numbers of MySQL:
# https://www.postgresql.org/docs/18/errcodes-appendix.html
# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
REFUSALS = {
    "3D000": Refusal.NO_DATABASE,
    "22023": Refusal.SETTING,  # its value
    "42704": Refusal.SETTING,  # its name
    "42501": Refusal.NO_ACCESS_TO_DATABASE,
    "53300": Refusal.TOO_MANY_CONNECTIONS,
    "57P01": Refusal.NOT_READY,
    "57P02": Refusal.NOT_READY,
    "57P03": Refusal.NOT_READY,
    1040: Refusal.TOO_MANY_CONNECTIONS,
    1044: Refusal.NO_ACCESS_TO_DATABASE,
    1049: Refusal.NO_DATABASE,
    1053: Refusal.NOT_READY,
    1129: Refusal.HOST,
    1130: Refusal.HOST,
    1203: Refusal.TOO_MANY_CONNECTIONS,
    1226: Refusal.TOO_MANY_CONNECTIONS,
}
# The server's words. One code may have several reasons, and psycopg 3.3 has no SQLSTATE for an error at login.
PHRASES = {
    "too many (connections|clients)|remaining connection slots": Refusal.TOO_MANY_CONNECTIONS,
    'database ".*" does not exist': Refusal.NO_DATABASE,
    "permission denied for database": Refusal.NO_ACCESS_TO_DATABASE,
    "unrecognized configuration parameter|invalid value for parameter": Refusal.SETTING,
    "the database system is|waking up cluster": Refusal.NOT_READY,
    "no pg_hba.conf entry": Refusal.NO_ENTRY,
    # The server requires a password, so the account is not set up for IAM.
    "password authentication failed": Refusal.NOT_IAM,
    "using password: NO": Refusal.NOT_IAM,
    'role "': Refusal.NOT_IAM,  # ... does not exist, or may not log in
}


def login_refusal(driver_name: str, error: BaseException) -> Refusal:
    message = str(error)
    # PyMySQL's errors have a number. Its newer ones also have an SQLSTATE, which says less.
    number = error.args[0] if error.args else None
    code = number if isinstance(number, int) else getattr(error, "sqlstate", None)
    phrase = next((refusal for phrase, refusal in PHRASES.items() if re.search(phrase, message)), None)
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        return Refusal.TIMEOUT
    if isinstance(error, InsecureTransportError):
        return Refusal.NOT_IAM  # the tls step has passed, so the server wanted the hash of a password
    if drivers.loaded(driver_name).login_rejected(error):
        return phrase or Refusal.TOKEN
    return REFUSALS.get(code) or phrase or Refusal.OTHER
