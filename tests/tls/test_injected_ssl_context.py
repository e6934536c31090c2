"""truststore, and pip-system-certs by it, replaces ``ssl.SSLContext`` in the process: TLS is verified as without it."""

import json
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT

MISMATCH = "Hostname mismatch, certificate is not valid for 'shop.c9akciq32.us-east-1.rds.amazonaws.com'."


@pytest.mark.parametrize("when", ["never", "before", "after", "late", "extracted"])
def test_each_context_verifies_the_pinned_name(when: str) -> None:
    command = [sys.executable, "-m", "tests.tls.injected_ssl_context", when]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert len(found) == 2 * 2 * 3 * 6
    for case, outcome in found.items():
        _, _, trust, name = case.split(", ")
        if trust == "default":
            assert outcome.startswith(("unable to get local issuer certificate", "self-signed certificate")), case
        elif trust == "require" or name.startswith("shop."):
            assert outcome == "the server has the token", case
        else:
            assert outcome == MISMATCH, case
