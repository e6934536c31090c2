"""The program that was installed. Drivers and servers are other extras, and it names them."""

import os
import subprocess
import sys
from pathlib import Path

program = Path(sys.executable).with_name("aws-iam-async")
subprocess.run([program, "--help"], check=True)
done = subprocess.run([program, "token", os.environ["POSTGRES"]], check=True, capture_output=True, text=True)
assert "X-Amz-Signature=" in done.stdout
done = subprocess.run([program, "demo"], check=False, capture_output=True, text=True)
assert done.returncode == 1
assert "testing]" in done.stderr, done.stderr
done = subprocess.run([program, "check", os.environ["POSTGRES"]], check=False, capture_output=True, text=True)
assert (done.returncode, done.stderr) == (1, "")
assert "driver-not-installed" in done.stdout, done.stdout
