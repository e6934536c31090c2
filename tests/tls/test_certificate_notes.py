"""What the user reads when a certificate is not accepted: the endpoint's region, and whether the bundle covers it.

The handshake fails before the emulator reaches a real server, so there is none behind it. tests/login has the notes of
both drivers.
"""

import asyncio
import ssl
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async.testing import CertificateKind, Emulator
from aws_iam_async.testing.servers import Upstream

US = "shop.c9akciq32.us-east-1.rds.amazonaws.com"


def _note(host: str, kind: CertificateKind = CertificateKind.VALID, **options: Any) -> str:
    async def connect() -> None:
        await aws_iam_async.connect(
            emulator.dsn("app"), iam_host=host, credentials=emulator.account.credentials, **options
        )

    with Emulator(Upstream("postgresql"), host=host, region=options.get("iam_region")) as emulator:
        emulator.faults.certificate = kind
        options = {name: emulator.ca_file if value is ... else value for name, value in options.items()}
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            asyncio.run(connect())
    (note,) = refused.value.__notes__
    assert f"The certificate of 127.0.0.1:{emulator.port} was not accepted." in note
    assert "aws-iam-async check" in note
    return str(note)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("shop.c9akciq32.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("shop.c9akciq32.cn-northwest-1.rds.amazonaws.com.cn", "cn-northwest-1"),
        ("shop.c9akciq32.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("shop.cluster-c9akciq32.us-iso-east-1.rds.c2s.ic.gov", "us-iso-east-1"),
        ("shop.c9akciq32.us-isob-east-1.rds.sc2s.sgov.gov", "us-isob-east-1"),
        ("shop.c9akciq32.eusc-de-east-1.rds.amazonaws.eu", "eusc-de-east-1"),
        ("shop.c9akciq32.eu-west-9.rds.amazonaws.com", "eu-west-9"),
    ],
)
def test_a_region_that_is_not_covered_is_named(host: str, region: str) -> None:
    note = _note(host)
    assert f"The endpoint is in {region}, which the authorities of RDS in this package do not cover" in note
    assert "pass sslrootcert= with the bundle that AWS publishes for it" in note


@pytest.mark.parametrize("region", ["us-east-1", "ca-west-1", "ap-southeast-7", "mx-central-1"])
def test_a_region_that_is_covered_is_named(region: str) -> None:
    note = _note(f"shop.cluster-c9akciq32.{region}.rds.amazonaws.com")
    assert f"The endpoint is in {region}, which the authorities of RDS in this package cover" in note
    assert "another server may have answered" in note
    assert "do not cover" not in note


def test_authorities_of_the_users_own_are_named_beside_the_region() -> None:
    options: dict[str, Any] = {"sslrootcert": ...}
    note = _note(US, CertificateKind.UNTRUSTED, **options)
    assert "Only the authorities in '" in note
    assert "The endpoint is in us-east-1, which the authorities of RDS in this package cover: omit sslrootcert" in note
    note = _note(US, ssl=ssl.create_default_context())
    assert "The SSLContext that was passed as ssl= decides" in note
    assert "The endpoint is in us-east-1, which the authorities of RDS in this package cover: omit ssl" in note


def test_a_proxy_is_covered_everywhere() -> None:
    note = _note("shop.proxy-c9akciq32.eu-west-9.rds.amazonaws.com")
    assert "The endpoint is in eu-west-9" in note
    assert "do not cover" not in note


def test_a_host_that_is_no_endpoint_has_no_region() -> None:
    note = _note("shop.example", iam_region="us-east-1")
    assert "Trusted are the system's authorities and those of Amazon RDS in this package" in note
    assert "The endpoint is in" not in note


@pytest.mark.parametrize("kind", [CertificateKind.EXPIRED, CertificateKind.NOT_YET_VALID])
def test_a_certificate_out_of_its_time_is_no_question_of_authorities(kind: CertificateKind) -> None:
    options: dict[str, Any] = {"sslrootcert": ...}
    note = _note(US, kind, **options)
    assert "expired or is not valid yet" in note
    assert "clock" in note
    assert "sslrootcert" not in note
