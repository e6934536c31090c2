"""``python -m aws_iam_async`` and ``aws-iam-async``."""

import sys

from aws_iam_async.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
