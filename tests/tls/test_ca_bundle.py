import re
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

from aws_iam_async import tls
from aws_iam_async.tls import contexts

BUNDLE = Path(tls.RDS_CA_BUNDLE)
RENEW = "renew the CA bundle: run tools/update_ca_bundle.py and read the difference"

COVERED = sorted(tls.RDS_CA_REGIONS)


@pytest.fixture(scope="module")
def certificates() -> list[x509.Certificate]:
    with warnings.catch_warnings():
        # Starfield's root of 2009 has the serial number 0, which RFC 5280 forbids; every trust store has it.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_pem_x509_certificates(BUNDLE.read_bytes())


def test_every_certificate_is_the_root_of_an_authority(certificates: list[x509.Certificate]) -> None:
    for certificate in certificates:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.value.ca, certificate.subject
        certificate.verify_directly_issued_by(certificate)


def test_every_certificate_is_amazons(certificates: list[x509.Certificate]) -> None:
    organisations = {
        str(attribute.value)
        for certificate in certificates
        for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    }
    assert organisations == {"Amazon Web Services, Inc.", "Amazon", "Starfield Technologies, Inc."}


def test_none_has_expired(certificates: list[x509.Certificate]) -> None:
    now = datetime.now(UTC)
    expired = [certificate.subject for certificate in certificates if certificate.not_valid_after_utc <= now]
    assert not expired, RENEW


def test_none_is_there_twice(certificates: list[x509.Certificate]) -> None:
    assert len(set(certificates)) == len(certificates) > 0


@pytest.mark.parametrize("region", COVERED)
def test_each_region_has_its_three_authorities(certificates: list[x509.Certificate], region: str) -> None:
    names = {
        attribute.value
        for certificate in certificates
        for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    }
    assert {f"Amazon RDS {region} Root CA {key} G1" for key in ("RSA2048", "RSA4096", "ECC384")} <= names


def test_all_commercial_regions_are_covered(certificates: list[x509.Certificate]) -> None:
    """34 in November 2026. A renewed bundle may have more, never fewer."""
    names = ",".join(certificate.subject.rfc4514_string() for certificate in certificates)
    assert set(re.findall(r"CN=Amazon RDS (\w+-[a-z-]+-\d) Root CA", names)) == set(COVERED)
    assert len(COVERED) >= 34


def test_the_notice_lists_the_covered_regions() -> None:
    notice = BUNDLE.with_name("NOTICE").read_text("utf-8")
    listed = set(re.findall(r"\b[a-z]{2}-[a-z]+-\d\b", notice))
    assert listed == set(COVERED)
    assert f"covers {len(listed)} regions" in notice


def test_the_notice_names_each_source_and_its_licence() -> None:
    notice = BUNDLE.with_name("NOTICE").read_text("utf-8")
    sources = set(re.findall(r"[\w-]+ [\d.]+", ", ".join(re.findall("# from (.+)", BUNDLE.read_text("ascii")))))
    assert sources
    assert all(f"    {source} (" in notice for source in sources)
    assert "Apache License" in notice
    assert "Permission is hereby granted" in notice


def test_the_comments_say_what_the_certificates_are(certificates: list[x509.Certificate]) -> None:
    comments = re.findall(
        r"# (.+)\n# valid (.+) to (.+)\n# SHA-256 (.+)\n# from .+\n-----BEGIN CERTIFICATE-----",
        BUNDLE.read_text("ascii"),
    )
    assert comments == [
        (
            certificate.subject.rfc4514_string(),
            f"{certificate.not_valid_before_utc:%Y-%m-%d}",
            f"{certificate.not_valid_after_utc:%Y-%m-%d}",
            certificate.fingerprint(SHA256()).hex(":").upper(),
        )
        for certificate in certificates
    ]


async def test_the_default_context_trusts_every_certificate(certificates: list[x509.Certificate]) -> None:
    context = await contexts.context(tls.parse("verify-full"))
    assert context is not None
    trusted = set(context.get_ca_certs(binary_form=True))
    assert {certificate.public_bytes(Encoding.DER) for certificate in certificates} <= trusted
