"""The world in which the docs are true: RDS endpoints by their names, AWS credentials, a certificate file."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aws_iam_async.testing import Account, Emulator, MariadbServer, PostgresServer
from tests.cli.doctor.sts_double import Sts, serving
from tests.docs.built_site import build

CLUSTER = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
READERS = "shop.cluster-ro-c9akciq32.us-east-1.rds.amazonaws.com"
PROXY = "shop.proxy-c9akciq32.us-east-1.rds.amazonaws.com"
MYSQL = "shop.c9akciq32.us-east-1.rds.amazonaws.com"
DSQL = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
BUNDLE = "global-bundle.pem"


class World:
    """What a code block finds when it runs.

    Args:
        emulators: By the addresses under which the docs reach them.
        account: The AWS account.
        sts: Gives out a key of the account for any role.
    """

    def __init__(self, emulators: dict[str, Emulator], account: Account, sts: Sts) -> None:
        self.emulators = emulators
        self._account = account
        self._sts = sts

    def environment(self, home: Path) -> dict[str, str]:
        """Furnish a home directory, and return the environment variables that go with it."""
        bundle = home / BUNDLE
        bundle.write_text("".join(emulator.ca_file.read_text() for emulator in set(self.emulators.values())))
        key, prod = (self._account.create_access_key(session=session) for session in (True, False))
        (home / "credentials").write_text(
            f"[prod]\naws_access_key_id = {prod.access_key}\naws_secret_access_key = {prod.secret_key}\n"
        )
        (home / "config").touch()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG"))}
        return kept | {
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": key.access_key,
            "AWS_SECRET_ACCESS_KEY": key.secret_key,
            "AWS_SESSION_TOKEN": key.session_token or "",
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
            "AWS_CONFIG_FILE": str(home / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_STS": self._sts.url,
            "SSL_CERT_FILE": str(bundle),
            "DOCS_PORTS": json.dumps({address: emulator.port for address, emulator in self.emulators.items()}),
        }


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    account = Account()
    with ExitStack() as stack:
        sts = stack.enter_context(serving())
        sts.role_key = account.create_access_key(session=True)
        postgres = stack.enter_context(PostgresServer())
        mariadb = stack.enter_context(MariadbServer())
        for server in (postgres, mariadb):
            for user in ("app", "report"):
                server.create_user(user)
            server.create_database("shop", owner="app")
        postgres.create_user("admin")
        postgres.execute("GRANT CREATE ON SCHEMA public TO admin")

        def emulator(server: PostgresServer | MariadbServer, host: str, port: int | None) -> Emulator:
            return stack.enter_context(Emulator(server, host=host, account=account, signed_port=port))

        cluster, readers = emulator(postgres, CLUSTER, 5432), emulator(postgres, READERS, 5432)
        mysql, proxy = emulator(mariadb, MYSQL, 3306), emulator(postgres, PROXY, 5432)
        dsql = emulator(postgres, DSQL, None)
        yield World(
            {
                f"{CLUSTER}:5432": cluster,
                f"{READERS}:5432": readers,
                f"{PROXY}:5432": proxy,
                f"{MYSQL}:3306": mysql,
                # An address, an alias and a tunnel of the docs.
                "10.0.3.7:5432": cluster,
                "db.example.com:5432": cluster,
                "10.0.3.7:3306": mysql,
                "localhost:15432": cluster,
                f"{DSQL}:5432": dsql,
                "localhost:15433": dsql,
            },
            account,
            sts,
        )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    build(folder)
    return folder
