"""Several hosts and several addresses of one name: each host gets its own token, verified by its own name."""

import socket
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from aws_iam_async import PluginManager
from aws_iam_async.testing import CertificateKind
from tests.login.conftest import Rds

DOMAIN = "cluster-c9akciq32.us-east-1.rds.amazonaws.com"
pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def several(rds: Rds, resolve: Callable[..., None]) -> Callable[..., Any]:
    """The endpoint and a host that is down, in any order, and how to name them in a DSN."""
    resolve(rds.emulator.host, rds.emulator.dial_host)
    resolve(f"down.{DOMAIN}", "127.0.0.1")
    places = {"up": f"{rds.emulator.host}:{rds.emulator.port}", "down": f"down.{DOMAIN}:1"}

    def dsn(*order: str, **query: str) -> str:
        options = "".join(f"&{name}={value}" for name, value in query.items())
        hosts = ",".join(places[name] for name in order)
        return f"postgresql+psycopg://app@{hosts}/shop?sslrootcert={rds.emulator.ca_file}{options}"

    return dsn


@pytest.mark.parametrize("order", [("down", "up"), ("up", "down"), ("down", "down", "up")])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"load_balance_hosts": "random"},
        {"target_session_attrs": "read-write"},
        {"target_session_attrs": "primary"},
        {"target_session_attrs": "prefer-standby"},
    ],
)
async def test_a_host_that_is_down_is_skipped(
    manager: PluginManager, rds: Rds, several: Callable[..., str], order: tuple[str, ...], query: dict[str, str]
) -> None:
    async with manager.connect(several(*order, **query)) as connection:
        assert connection.info.host == rds.emulator.host
    assert all(login.accepted for login in rds.emulator.logins)


async def test_a_pool_of_several_hosts(manager: PluginManager, rds: Rds, several: Callable[..., str]) -> None:
    async with manager.create_pool(several("down", "up"), min_size=3) as pool, pool.connection() as connection:
        assert connection.info.host == rds.emulator.host


async def test_a_host_of_another_kind_is_the_drivers_error(
    manager: PluginManager, rds: Rds, several: Callable[..., str]
) -> None:
    with pytest.raises(psycopg.OperationalError, match="standby"):
        await manager.connect(several("up", "up", target_session_attrs="standby"))
    assert all(login.accepted for login in rds.emulator.logins)


async def test_a_rejected_login_is_not_hidden_by_the_next_host(
    manager: PluginManager, rds: Rds, several: Callable[..., str]
) -> None:
    rds.emulator.faults.reject_next(1)
    with pytest.raises(psycopg.OperationalError, match="PAM") as raised:
        await manager.connect(several("up", "up"))
    assert f"at {rds.emulator.host}:{rds.emulator.port}" in "".join(raised.value.__notes__)
    assert [login.accepted for login in rds.emulator.logins] == [False]


async def test_a_certificate_for_another_name_gets_no_token(
    manager: PluginManager, rds: Rds, several: Callable[..., str]
) -> None:
    rds.emulator.faults.certificate = CertificateKind.OTHER_HOST
    with pytest.raises(psycopg.OperationalError):
        await manager.connect(several("up", "down"))
    assert rds.emulator.logins == []


@pytest.mark.parametrize("pinned", [False, True], ids=["by the endpoint's name", "by another name"])
@pytest.mark.parametrize("addresses", [("127.0.0.2", "127.0.0.1"), ("::1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2")])
async def test_several_addresses_of_one_name(
    manager: PluginManager,
    rds: Rds,
    by_name: dict[str, Any],
    resolve: Callable[..., None],
    *,
    pinned: bool,
    addresses: Any,
) -> None:
    name = "db.example" if pinned else rds.emulator.host
    resolve(name, *addresses)
    options = {**by_name, "host": name, **({"iam_host": rds.emulator.host} if pinned else {})}
    async with manager.connect(**options) as connection:
        assert connection.info.hostaddr == "127.0.0.1"
    assert len(rds.emulator.logins) == 1
    rds.emulator.faults.certificate = CertificateKind.OTHER_HOST
    with pytest.raises(psycopg.OperationalError):
        await manager.connect(**options)
    assert len(rds.emulator.logins) == 1


async def test_a_name_that_does_not_resolve(manager: PluginManager, rds: Rds, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    places: list[dict[str, Any]] = [{"iam_host": rds.emulator.host, "host": "db.example"}, {"host": rds.emulator.host}]
    for options in places:
        with pytest.raises(psycopg.OperationalError, match=r"failed to resolve host .*Name or service not known"):
            await manager.connect(driver="psycopg", user="app", **options)
