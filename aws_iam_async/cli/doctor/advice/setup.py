"""What is installed and what was asked for."""

from aws_iam_async.cli.doctor.outcome import Advice

__all__ = ["install_driver", "not_verified", "one_host_at_a_time", "password_ignored", "user_missing"]


def install_driver(driver: str) -> Advice:
    """A driver is missing."""
    return Advice("driver-not-installed", "Install the driver.", f"pip install 'aws-iam-async[{driver}]'")


def one_host_at_a_time() -> Advice:
    """A DSN with several hosts."""
    return Advice("several-hosts", "Check them one at a time: --host and --port choose one.")


def user_missing() -> Advice:
    """Nobody to log in as."""
    return Advice("configuration", "Name the database user who was set up for IAM.", "--user NAME")


def password_ignored() -> Advice:
    """A password beside IAM."""
    return Advice("password-ignored", "The password is ignored: with IAM the token takes its place. Leave it out.")


def not_verified(mode: str) -> Advice:
    """TLS that was told to verify less."""
    what = "the host's name is not" if mode == "verify-ca" else "nothing is"
    return Advice(
        "not-verified",
        f"With sslmode={mode} {what} verified: whoever stands between here and the database can take the token. "
        "Leave sslmode out.",
    )
