"""The identity of a credentials source: part of cache keys, and the owner of the caller's object."""

import re
from collections.abc import Awaitable, Callable
from types import MappingProxyType, MethodType
from typing import NamedTuple, Protocol, TypeAlias

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.errors import ConfigurationError

# What AWS STS accepts (AssumeRole, version 2011-06-15 of its API), and what to say otherwise.
_ROLE_OPTIONS = {
    "role_arn": (
        r"arn:aws[a-z-]*:iam::\d{12}:role/([!-~]+/)?[\w+=,.@-]{1,64}",
        "must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/app",
    ),
    "external_id": (r"[\w+=,.@:/-]{2,1224}", "must consist of 2 to 1224 letters, digits and _+=,.@:/-"),
    "role_session_name": (r"[\w+=,.@-]{2,64}", "must consist of 2 to 64 letters, digits and _+=,.@-"),
}


class AwsSession(Protocol):
    """A caller's session, such as ``aiobotocore.session.AioSession`` or ``aioboto3.Session``."""

    def get_credentials(self) -> Awaitable[object]:
        """Return an awaitable of the session's credentials object."""


CredentialsCallable: TypeAlias = Callable[[], Awaitable[object]]
"""An async callable that returns ``Credentials`` or botocore's ``ReadOnlyCredentials``."""


class SdkChain(NamedTuple):
    """The SDK's default chain, or one profile. Equal profiles are one identity."""

    profile: str | None

    def __repr__(self) -> str:
        return "the default credentials chain" if self.profile is None else f"profile {self.profile!r}"


class CallersSource:
    """A caller's session or async callable: the same object is the same identity.

    It holds the object, because the ``id()`` of an object that is gone is used again.
    """

    profile = None

    def __init__(self, provider: "AwsSession | CredentialsCallable") -> None:
        self.provider = provider
        # Reading `obj.method` twice gives two objects.
        parts = (provider.__self__, provider.__func__) if isinstance(provider, MethodType) else (provider,)
        self._identity = tuple(map(id, parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallersSource) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"the {type(self.provider).__name__} passed as credentials="


class AssumedRole(NamedTuple):
    """A role, assumed with the credentials of another source. Equal values are one identity."""

    base: SdkChain | CallersSource
    role_arn: str
    external_id: str | None = None
    role_session_name: str = "aws_iam_async"

    @property
    def profile(self) -> str | None:
        """The profile that also holds the SDK's settings for calls with these credentials."""
        return self.base.profile

    def __repr__(self) -> str:
        return f"{self.base!r} -> role {self.role_arn}"


CredentialsSource: TypeAlias = SdkChain | CallersSource | AssumedRole

DEFAULT_CHAIN = SdkChain(None)


def is_session(provider: object) -> bool:
    return callable(getattr(provider, "get_credentials", None))


def credentials_source(
    profile: object = None, credentials: object = None, role_arn: object = None, **options: object
) -> CredentialsSource:
    """Read the options that name a source of credentials, and leave out the others."""
    base = _base(profile, credentials)
    options["role_arn"] = role_arn
    role = {name: _role_option(name, options[name]) for name in _ROLE_OPTIONS if options.get(name) is not None}
    if role and role_arn is None:
        name = next(iter(role))
        raise ConfigurationError(
            f"{name} needs role_arn: pass role_arn= as well. For the role of an AWS profile, set {name} in the profile"
        )
    return AssumedRole(base, **role) if role else base


def _base(profile: object, credentials: object) -> SdkChain | CallersSource:
    if credentials is not None:
        if profile is not None:
            raise ConfigurationError("profile and credentials exclude each other; pass one of them")
        return CallersSource(_provider(credentials))
    if profile is None:
        return DEFAULT_CHAIN
    if not isinstance(profile, str) or not profile.strip():
        raise ConfigurationError(f"profile must be the name of an AWS profile, not {_describe(profile)}")
    return SdkChain(str.__str__(profile))  # str() of a member of a `class Profile(str, Enum)` is the member's name


def _role_option(name: str, value: object) -> str:
    pattern, rule = _ROLE_OPTIONS[name]
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} {rule}, not {_describe(value)}")
    if not re.fullmatch(pattern, value, re.ASCII):
        found = f", not {str.__str__(value)!r}" if re.fullmatch(r"arn:[ -~]{,200}", value) else ""
        raise ConfigurationError(f"{name} {rule}{found}")
    return str.__str__(value)


def _provider(credentials: object) -> "AwsSession | CredentialsCallable":
    if isinstance(credentials, Credentials) or (isinstance(credentials, tuple) and hasattr(credentials, "access_key")):
        raise ConfigurationError(
            "credentials must be a source of new ones: pass an async function that returns these Credentials"
        )
    if type(credentials).__module__.partition(".")[0] in {"boto3", "botocore"}:
        raise ConfigurationError(
            f"credentials: a {type(credentials).__module__.partition('.')[0]} {type(credentials).__name__} would block "
            "the event loop; pass an aiobotocore or aioboto3 session, or profile="
        )
    if (is_session(credentials) or callable(credentials)) and not isinstance(credentials, type):
        return credentials  # type: ignore[return-value]  # is_session() checked all that AwsSession requires
    raise ConfigurationError(
        "credentials must be an aiobotocore or aioboto3 session, or an async callable that returns "
        f"aws_iam_async.Credentials, not {_describe(credentials)}"
    )


def _describe(value: object) -> str:
    # Never the value itself, which may be a misplaced secret key.
    if isinstance(value, type):
        return f"the class {value.__name__}"
    # A request holds a dict as a mapping that cannot be changed.
    return "''" if value == "" else "dict" if isinstance(value, MappingProxyType) else type(value).__name__
