"""No variable of libpq, and no service file, decides on how a token is sent, and where to."""

import contextlib
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aws_iam_async import ConfigurationError, PluginManager
from aws_iam_async.testing import CertificateKind, Stage
from tests.login.conftest import Rds

VARIABLES = {
    "PGSSLMODE": "disable",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGGSSENCMODE": "require",
    "PGSSLROOTCERT": "/no/such/file.pem",
    "PGHOSTADDR": "192.0.2.1",  # an address that never answers
    "PGPASSWORD": "of-no-use",
    "PGPASSFILE": "/no/such/file",
    "PGSSLMINPROTOCOLVERSION": "TLSv1",
    "PGREQUIRESSL": "0",
    "PGSSLCOMPRESSION": "1",
    "PGCHANNELBINDING": "disable",
    "PGREQUIREPEER": "nobody",
}
WEAK = "sslmode=disable\nrequire_auth=none\ngssencmode=require\nsslrootcert=/no/such/file.pem\nhostaddr=192.0.2.1\n"


@pytest.fixture(params=["by the endpoint's name", "through a tunnel"])
def options(request: pytest.FixtureRequest, rds: Rds, by_name: dict[str, Any]) -> dict[str, Any]:
    if request.param == "by the endpoint's name":
        return by_name
    return {**by_name, **rds.options, "host": rds.emulator.dial_host}


def service_file(path: Path, *lines: str) -> str:
    path.write_text("[weak]\n" + "\n".join(lines))
    return str(path)


async def is_verified(manager: PluginManager, rds: Rds, options: dict[str, Any]) -> None:
    """Log in, over TLS that is verified."""
    async with manager.connect(**options, connect_timeout=10) as connection:
        assert connection.pgconn.ssl_in_use
        assert (connection.info.hostaddr, connection.info.user) == (rds.emulator.dial_host, "app")
    rds.emulator.faults.certificate = CertificateKind.UNTRUSTED
    with pytest.raises(rds.refusal, match="certificate verify failed"):
        await manager.connect(**options, connect_timeout=10)
    assert [login.accepted for login in rds.emulator.logins] == [True]


@pytest.mark.parametrize("variable", VARIABLES)
async def test_a_variable(
    manager: PluginManager, rds: Rds, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, VARIABLES[variable])
    await is_verified(manager, rds, options)


async def test_a_service(
    manager: PluginManager, rds: Rds, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGSERVICE", "weak")
    monkeypatch.setenv(
        "PGSERVICEFILE", service_file(tmp_path / "services", WEAK, "user=other", "password=x", f"passfile={tmp_path}")
    )
    await is_verified(manager, rds, options)


@pytest.mark.parametrize("not_given", [{}, {"sslkeylogfile": None}])
async def test_a_service_does_not_keep_the_keys_of_tls(
    manager: PluginManager,
    by_name: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    not_given: dict[str, Any],
) -> None:
    """libpq 18 writes them to a file, with which a recorded connection can be read."""
    kept = tmp_path / "keys"
    monkeypatch.setenv("PGSERVICE", "weak")
    monkeypatch.setenv("PGSERVICEFILE", service_file(tmp_path / "services", f"sslkeylogfile={kept}"))
    with contextlib.suppress(psycopg.OperationalError):  # libpq 17 does not know it
        async with manager.connect(**by_name, **not_given):
            pass
    assert not kept.exists()


async def test_a_service_that_is_not_there_is_libpqs_error(
    manager: PluginManager, rds: Rds, by_name: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGSERVICE", "other")
    monkeypatch.setenv("PGSERVICEFILE", service_file(tmp_path / "services"))
    with pytest.raises(rds.refusal, match='"other" not found'):
        await manager.connect(**by_name)
    assert rds.emulator.logins == []


async def test_channel_binding_that_is_required_sends_nothing(
    manager: PluginManager, rds: Rds, by_name: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCHANNELBINDING", "require")
    with pytest.raises(rds.refusal, match="channel binding"):
        await manager.connect(**by_name)
    assert not any(login.accepted for login in rds.emulator.logins)


@pytest.mark.parametrize("text", ["-1", "0", "30", "2.5"])
async def test_the_time_limit_is_read_like_psycopg_does(
    manager: PluginManager, rds: Rds, by_name: dict[str, Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", text)
    async with manager.connect(**by_name) as connection:
        assert await rds.value(connection, "SELECT 1") == 1


@pytest.mark.parametrize("text", ["soon", "nan", "1s"])
@pytest.mark.parametrize("way", ["connect", "create_pool"])
async def test_a_wrong_time_limit_is_named(
    manager: PluginManager, rds: Rds, by_name: dict[str, Any], monkeypatch: pytest.MonkeyPatch, text: str, way: str
) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", text)
    with pytest.raises(ConfigurationError, match="PGCONNECT_TIMEOUT must be a number of seconds"):
        await getattr(manager, way)(**by_name)
    assert rds.emulator.logins == []


async def test_a_short_time_limit_is_kept(
    manager: PluginManager, rds: Rds, by_name: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rds.emulator.faults.delay(Stage.ACCEPTED, 60)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "0.5")
    with pytest.raises(rds.refusal, match=r"within 0\.5 s"):
        await manager.connect(**by_name)
    rds.emulator.cut_connections()
