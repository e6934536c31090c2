"""``python -m aws_iam_async`` and ``aws-iam-async``."""

import sys


def main() -> None:
    """Run the command line, or say what to install for it.

    Raises:
        SystemExit: Always, with the exit status.
    """
    try:
        from aws_iam_async.cli.main import main as run  # noqa: PLC0415 - needs the extra cli
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("aws-iam-async: the command line needs the module 'click': pip install 'aws-iam-async[cli]'")
    run()


if __name__ == "__main__":
    main()
