"""The world in which the docs are true: RDS endpoints by their names, AWS credentials, a certificate file."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aws_iam_async.testing import Account, Emulator, MariadbServer, PostgresCluster
from aws_iam_async.testing.servers import Upstream
from tests.cli.doctor.sts_double import serving
from tests.docs.built_site import build
from tests.secrets_manager.conftest import PasswordPostgres

CLUSTER = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
READERS = "shop.cluster-ro-c9akciq32.us-east-1.rds.amazonaws.com"
PROXY = "shop.proxy-c9akciq32.us-east-1.rds.amazonaws.com"
MYSQL = "shop.c9akciq32.us-east-1.rds.amazonaws.com"
INSTANCES = [f"shop-{number}.c9akciq32.us-east-1.rds.amazonaws.com" for number in (1, 2)]
DSQL = "foo0bar1baz2quux3quuux4abc.dsql.us-east-1.on.aws"
WITH_PASSWORD = "shop.cluster-c9akciq32.eu-west-1.rds.amazonaws.com"
PASSWORD = "correct horse, battery=staple"
BUNDLE = "global-bundle.pem"


class World:
    """What a code block finds when it runs.

    Args:
        emulators: By the addresses under which the docs reach them.
        account: The AWS account.
        with_password: A server with users that have passwords.
        variables: Where secret stores and STS are.
    """

    def __init__(
        self,
        emulators: dict[str, Emulator],
        account: Account,
        with_password: PasswordPostgres,
        variables: dict[str, str],
    ) -> None:
        self.emulators = emulators
        self._account = account
        self._with_password = with_password
        self._variables = variables

    def environment(self, home: Path) -> dict[str, str]:
        """Furnish a home directory, and return the environment variables that go with it."""
        bundle = home / BUNDLE
        authorities = [emulator.ca_file for emulator in set(self.emulators.values())]
        authorities.append(self._with_password.directory / "ca.pem")
        ports = {address: emulator.port for address, emulator in self.emulators.items()}
        ports[f"{WITH_PASSWORD}:5432"] = self._with_password.port
        bundle.write_text("".join(file.read_text() for file in authorities))
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
            "SSL_CERT_FILE": str(bundle),
            "DOCS_PORTS": json.dumps(ports),
            **self._variables,
        }


@contextmanager
def secret_stores() -> Iterator[str]:
    """The URL of a server that answers as AWS Secrets Manager and as HashiCorp Vault.

    It is not moto's, which sends a header twice: aiohttp 3.14 refuses that in the development mode of the blocks.
    """
    login = {"username": "app", "password": PASSWORD}
    place = {"engine": "postgres", "host": WITH_PASSWORD, "port": 5432, "dbname": "shop"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = (self.path, self.headers["X-Vault-Token"]) == ("/v1/database/creds/app", "hvs.made-up")
            self.answer(200 if is_known else 403, {"lease_duration": 3600, "data": login})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_known = (self.headers["X-Amz-Target"], asked["SecretId"]) == (
                "secretsmanager.GetSecretValue",
                "shop/app",
            )
            self.answer(200 if is_known else 400, {"Name": "shop/app", "SecretString": json.dumps(login | place)})

        def answer(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    account = Account()
    with ExitStack() as stack:
        sts = stack.enter_context(serving())
        sts.role_key = account.create_access_key(session=True)
        postgres = stack.enter_context(PostgresCluster())
        mariadb = stack.enter_context(MariadbServer())
        for server in (postgres, mariadb):
            for user in ("app", "report"):
                server.create_user(user)
            server.create_database("shop", owner="app")
        postgres.create_database("empty", owner="app")
        postgres.create_user("admin")
        postgres.execute("GRANT CREATE ON SCHEMA public TO admin")

        def emulator(server: Upstream | MariadbServer, host: str, port: int | None) -> Emulator:
            return stack.enter_context(Emulator(server, host=host, account=account, signed_port=port))

        with_password = stack.enter_context(PasswordPostgres(WITH_PASSWORD))
        with_password.set_password("app", PASSWORD)
        with_password.create_database("shop", owner="app")
        stack.enter_context(with_password.with_tls())
        url = stack.enter_context(secret_stores())
        variables = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": url, "VAULT_ADDR": url, "VAULT_TOKEN": "hvs.made-up"}
        variables["AWS_ENDPOINT_URL_STS"] = sts.url
        cluster, readers = emulator(postgres.writer, CLUSTER, 5432), emulator(postgres.reader, READERS, 5432)
        instances = emulator(postgres.writer, INSTANCES[0], 5432), emulator(postgres.reader, INSTANCES[1], 5432)
        mysql, proxy = emulator(mariadb, MYSQL, 3306), emulator(postgres.writer, PROXY, 5432)
        dsql = emulator(postgres.writer, DSQL, None)
        yield World(
            {
                f"{CLUSTER}:5432": cluster,
                f"{READERS}:5432": readers,
                **{f"{host}:5432": instance for host, instance in zip(INSTANCES, instances, strict=True)},
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
            with_password,
            variables,
        )


@pytest.fixture(scope="session")
def site(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site. Processes that need it later share it."""
    folder = shared_folder / "site"
    if not folder.exists():
        built = tmp_path_factory.mktemp("site")
        build(built)
        with suppress(OSError):  # another process was faster
            built.rename(folder)
    return folder
