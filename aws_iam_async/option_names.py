"""Names of options: which are known, and which was meant. Pure."""

from collections.abc import Collection, Iterable

from aws_iam_async.errors import ConfigurationError

__all__ = ["nearest", "refuse_unknown"]

# What the AWS Advanced NodeJS, JDBC and Python wrappers call them, in lower case and without underscores.
FOREIGN_NAMES = {
    "iamexpiration": "iam_token_expiration",
    "iamport": "iam_default_port",
    "awsprofile": "profile",
    "awscredentialsprovider": "credentials",
    "customawscredentialproviderhandler": "credentials",
}


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was probably meant, or ``None``.

    Args:
        name: As the user wrote it, in any spelling: ``iamRegion``, ``iam-region``.
        known: The names to choose from.
    """
    plain = {option.replace("_", ""): option for option in known}
    wanted = name.replace("_", "").replace("-", "").lower()
    if (meant := FOREIGN_NAMES.get(wanted)) in known:
        return meant
    import difflib  # noqa: PLC0415 - half a millisecond, for names that are not known

    near = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.75)
    return plain[near[0]] if near else None


def refuse_unknown(names: Iterable[str], known: Collection[str], *, owner: str) -> None:
    """Refuse the first name that is not known.

    Args:
        names: What was given.
        known: What there is.
        owner: Who would have to have it, for the message: "neither <owner> has it".

    Raises:
        ConfigurationError: Names the option, and the one that was probably meant.
    """
    for name in names:
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean {meant}?" if meant else f"neither {owner} has it"
            raise ConfigurationError(f"unknown option {name!r}: {hint}")
