"""``python -m benchmarks.soak`` for a quarter of a minute on each loop; docs/reliability.md shows a long run."""

import subprocess
import sys

from tests.faults.site import LOOPS

MINUTES = 0.25
LONGEST = 110  # seconds
CLEAN = ("lost, run twice, stuck 0\n", "sockets left           0\n", "tasks left             0\n")


def test_nothing_is_lost_and_nothing_leaks() -> None:
    command = [sys.executable, "-W", "error", "-m", "benchmarks.soak", f"--minutes={MINUTES}"]
    runs = [
        subprocess.Popen([*command, f"--loop={loop}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for loop in LOOPS
    ]
    try:
        outputs = [run.communicate(timeout=LONGEST) for run in runs]
    finally:
        for run in runs:
            run.kill()
            run.wait()
    for run, (output, errors) in zip(runs, outputs, strict=True):
        assert (run.returncode, errors) == (0, ""), output + errors
        assert all(line in output for line in CLEAN), output
