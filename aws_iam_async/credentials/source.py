"""Which credentials: an identity that stands in a cache key and keeps what it stands for alive."""

from collections.abc import Awaitable, Callable
from types import MethodType
from typing import NamedTuple, Protocol, TypeAlias

from aws_iam_async.credentials.credentials import Credentials
from aws_iam_async.errors import ConfigurationError


class AwsSession(Protocol):
    """What is asked of a caller's session; ``aiobotocore.session.AioSession`` and ``aioboto3.Session`` have it."""

    def get_credentials(self) -> Awaitable[object]:
        """Return the session's credentials object, awaitably."""


CredentialsCallable: TypeAlias = Callable[[], Awaitable[object]]
"""An async callable that returns ``Credentials`` or botocore's ``ReadOnlyCredentials``."""


class Chain(NamedTuple):
    """The SDK's default chain, or one profile of it. Equal profiles are one identity."""

    profile: str | None

    def __repr__(self) -> str:
        return "the default credentials chain" if self.profile is None else f"profile {self.profile!r}"


class Given:
    """A session or an async callable of the caller's: the same object is the same identity.

    It is held strongly: an ``id()`` would be given to the next object as soon as this one is gone.
    """

    __slots__ = ("_hash", "provider")

    def __init__(self, provider: "AwsSession | CredentialsCallable") -> None:
        self.provider: AwsSession | CredentialsCallable = provider
        # Two reads of `obj.method` are two objects that compare equal, by the identity of `obj`.
        self._hash = hash(provider) if isinstance(provider, MethodType) else id(provider)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Given):
            return False
        if isinstance(self.provider, MethodType):
            return isinstance(other.provider, MethodType) and self.provider == other.provider
        return self.provider is other.provider

    def __repr__(self) -> str:
        kind = "session" if is_session(self.provider) else "callable"
        return f"the {type(self.provider).__name__} passed as credentials= (a {kind})"


CredentialsSource: TypeAlias = Chain | Given

DEFAULT_CHAIN = Chain(None)


def is_session(provider: object) -> bool:
    """Whether a ``credentials=`` value is a session, rather than a callable."""
    return callable(getattr(provider, "get_credentials", None))


def source(profile: object = None, credentials: object = None) -> CredentialsSource:
    """Read the options ``profile`` and ``credentials``.

    Args:
        profile: The name of a profile in the shared AWS files; ``None`` for the default chain.
        credentials: An aiobotocore or aioboto3 session, or an async callable that returns ``Credentials``.

    Raises:
        ConfigurationError: Both were given, or one of them is not usable.
    """
    if credentials is not None:
        if profile is not None:
            raise ConfigurationError("profile and credentials exclude each other; pass one of them")
        return Given(_provider(credentials))
    if profile is None:
        return DEFAULT_CHAIN
    if not isinstance(profile, str) or not profile.strip():
        raise ConfigurationError(f"profile must be the name of an AWS profile, not {_shown(profile)}")
    return Chain(str.__str__(profile))  # which is not the name of a `class Profile(str, Enum)`'s member


def _provider(credentials: object) -> "AwsSession | CredentialsCallable":
    if isinstance(credentials, Credentials) or (isinstance(credentials, tuple) and hasattr(credentials, "access_key")):
        raise ConfigurationError(
            "credentials must be able to give new ones: pass an async function that returns these Credentials"
        )
    if type(credentials).__module__.partition(".")[0] in {"boto3", "botocore"}:
        raise ConfigurationError(
            f"credentials: a {type(credentials).__module__.partition('.')[0]} {type(credentials).__name__} would block "
            "the event loop; pass an aiobotocore or aioboto3 session, or profile="
        )
    if is_session(credentials) and not isinstance(credentials, type):
        return credentials  # type: ignore[return-value]  # is_session() looked at exactly what AwsSession asks for
    if callable(credentials) and not isinstance(credentials, type):
        return credentials
    raise ConfigurationError(
        "credentials must be an aiobotocore or aioboto3 session, or an async callable that returns "
        f"aws_iam_async.Credentials, not {_shown(credentials)}"
    )


def _shown(value: object) -> str:
    # Never the value itself: somebody may have passed a secret key.
    return f"the class {value.__name__}" if isinstance(value, type) else ("''" if value == "" else type(value).__name__)
