"""The program that was installed: the demonstration on a PostgreSQL of its own, and a token."""

import os
import subprocess
import sys
from pathlib import Path

program = Path(sys.executable).with_name("aws-iam-async")
subprocess.run([program, "demo"], check=True)
subprocess.run([program, "token", os.environ["POSTGRES"]], check=True, stdout=subprocess.DEVNULL)
