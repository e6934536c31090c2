"""The identity of a credentials source: part of cache keys, and the owner of the caller's object."""

from collections.abc import Awaitable, Callable
from types import MethodType
from typing import NamedTuple, Protocol, TypeAlias

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.errors import ConfigurationError


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


CredentialsSource: TypeAlias = SdkChain | CallersSource

DEFAULT_CHAIN = SdkChain(None)


def is_session(provider: object) -> bool:
    """Whether a ``credentials=`` value is a session, rather than a callable."""
    return callable(getattr(provider, "get_credentials", None))


def credentials_source(profile: object = None, credentials: object = None) -> CredentialsSource:
    """Read the options ``profile`` and ``credentials``.

    Raises:
        ConfigurationError: Both were given, or one of them is not usable.
    """
    if credentials is not None:
        if profile is not None:
            raise ConfigurationError("profile and credentials exclude each other; pass one of them")
        return CallersSource(_provider(credentials))
    if profile is None:
        return DEFAULT_CHAIN
    if not isinstance(profile, str) or not profile.strip():
        raise ConfigurationError(f"profile must be the name of an AWS profile, not {_describe(profile)}")
    return SdkChain(str.__str__(profile))  # str() of a member of a `class Profile(str, Enum)` is the member's name


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
    return f"the class {value.__name__}" if isinstance(value, type) else ("''" if value == "" else type(value).__name__)
