"""SQL that lets a user log in with IAM."""

import re

__all__ = ["grant", "quoted_for_mysql", "quoted_for_postgresql"]

PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
# Of PostgreSQL's reserved words those that somebody could call a user.
RESERVED = frozenset(
    {"all", "analyse", "analyze", "any", "check", "column", "current_role", "current_user", "default", "do", "end"}
    | {"group", "order", "primary", "references", "session_user", "table", "user", "window"}
)


def grant(driver: str, user: str) -> str:
    """Return what an administrator runs on the database.

    Args:
        driver: The driver, which says the database.
        user: The database user.
    """
    if driver == "asyncpg":
        name = quoted_for_postgresql(user)
        return f"CREATE USER {name};  -- if there is none yet\nGRANT rds_iam TO {name};"
    name = quoted_for_mysql(user)
    return (
        f"CREATE USER {name} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;\n"
        f"-- or, if there is one: ALTER USER {name} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL;"
    )


def quoted_for_postgresql(name: str) -> str:
    """Return a PostgreSQL identifier, quoted where it has to be."""
    if PLAIN.fullmatch(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def quoted_for_mysql(user: str) -> str:
    r"""Return a MySQL account, ``'user'@'%'``; an apostrophe is doubled, which holds with and without ``\`` escapes."""
    name = user.replace("\\", "\\\\").replace("'", "''")
    return f"'{name}'@'%'"
