"""What an error of a credentials source means: its cause in words that hold no secret, and the remedy."""

import configparser
import os
import re
import shlex
from typing import Any, NamedTuple

from aws_iam_async.credentials.credentials import Snapshot, is_temporary
from aws_iam_async.credentials.source import CredentialsSource, SdkChain
from aws_iam_async.errors import CredentialsError


class Remedy(NamedTuple):
    """The last arguments of a ``CredentialsError``."""

    cause: str
    text: str
    command: str | None = None


_OLD = Remedy("credentials-expired", "The credentials have expired. Get new ones from the same source")
_UNKNOWN = Remedy(
    "credentials-invalid",
    "AWS does not know this access key. It was deleted or deactivated, belongs to another partition, or is temporary"
    " and has a wrong session token. (AWS does not know an emulator's keys either)",
)
_MISMATCH = "The secret key does not belong to this access key id. Check that both were copied completely"
REFUSED_KEYS = (  # by AWS's error code
    dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), _OLD)
    | dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException"), _UNKNOWN)
    | dict.fromkeys(("SignatureDoesNotMatch", "IncompleteSignature"), Remedy("credentials-invalid", _MISMATCH))
)
NO_CREDENTIALS = Remedy("no-credentials", "Configure one of them, or pass profile= or credentials=")
MFA = Remedy("mfa-required", "Pass a session that has one as credentials=, or use a profile with temporary credentials")
_LOGIN = Remedy("credentials-expired", "Sign in again", "aws login{profile}")
_SSO = Remedy("credentials-expired", "Sign in again", "aws sso login{profile}")
_REGION = Remedy("region-of-source", "Set region in the profile, or AWS_DEFAULT_REGION, such as to us-east-1")
_PROFILE = Remedy("config-file", "Correct the profile in the shared AWS files, or the AWS variables in the environment")
_PATH = Remedy("path-of-source", "Correct the path, or make the file readable for this process")
_UNREACHABLE = Remedy("endpoint-unreachable", "Check the network, the proxy and the endpoint's address")
_CONTAINER = "Check AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and its endpoint"
_COMMAND = "It runs without a terminal here, so it cannot ask. To see its output, run it in a shell"
_EXPORT = "Export new ones, with AWS_SESSION_TOKEN and AWS_CREDENTIAL_EXPIRATION. To use the next source in the chain,"
# By AWS's error code, by the class or a base of an error of botocore 1.43 or Python, or by botocore's name of a source.
_REMEDIES = REFUSED_KEYS | {
    "AccessDenied": Remedy("access-denied", "Allow this call, and let the role's trust policy name its caller"),
    "ConfigParseError": Remedy("config-file", "Correct this file"),
    "InvalidConfigError": _PROFILE,
    "PartialCredentialsError": _PROFILE,
    "ParamValidationError": _PROFILE,
    "InvalidRegionError": _REGION,
    "NoRegionError": _REGION,
    "SSOError": _SSO,
    "TokenRetrievalError": _SSO,
    "LoginInsufficientPermissions": Remedy("access-denied", "Allow signin:CreateOAuth2Token to your identity"),
    "LoginError": _LOGIN,
    "MissingDependencyException": Remedy("dependency-missing", "Install it", 'pip install "botocore[crt]"'),
    "RefreshWithMFAUnsupportedError": MFA,
    "ConnectionError": _UNREACHABLE,
    "ConnectionClosedError": _UNREACHABLE,
    "ReadTimeoutError": _UNREACHABLE,
    "FileNotFoundError": _PATH,
    "PermissionError": _PATH,
    "container-role": Remedy("credentials-source-failed", _CONTAINER),
    "custom-process": Remedy("credentials-source-failed", _COMMAND, "aws sts get-caller-identity{profile}"),
}
_VARIABLES = Remedy("credentials-expired", f"{_EXPORT} unset all these variables")
_EXPIRED = {"env": _VARIABLES, "login": _LOGIN, "sso": _SSO}

# In botocore 1.43 the field ``error_msg`` quotes what a process or an endpoint answered, but for these errors.
_OWN_TEXTS = frozenset({"InvalidConfigError", "SSOTokenLoadError", "LoginTokenLoadError", "TokenRetrievalError"})
# The part of that field that is botocore's own.
_OWN_PART = re.compile(r'[^:\n\'"]{,120}(: (Could not connect to the|\w+ timeout on) endpoint URL: "[^\s"]*")?')
# The SDK's own texts about a credential_process, and those of a ValueError about its configuration.
_OF_PROCESS = ("Missing required key", "Unsupported version")
_OF_CONFIGURATION = ("Unsupported host", "No closing quotation", "Auth token value is not", "invalid literal for int()")
_LONGEST_NAME = 32  # a secret key has 40 characters


def credentials_error(error: Exception, source: str, profile: str | None = None) -> CredentialsError:
    """Convert an error of the SDK into one of this package, without secrets.

    The SDK's error becomes its cause only if its whole text is shown. ``profile`` is the profile
    to sign in with.
    """
    failure = CredentialsError(f"no AWS credentials from {source}: {safe_text(error)}", *_remedy(error, profile))
    details = getattr(error, "kwargs", None)
    is_shown_in_full = " ".join(str(error).split()).rstrip(".") in failure.problem
    if is_shown_in_full and "error" not in (details or {}) and (details or _error_code(error)):
        # Without the frames, because their locals may hold secrets, and without the errors before it.
        error.__cause__ = error.__context__ = None
        failure.__cause__ = error.with_traceback(None)
    return failure


def expired_error(source: CredentialsSource, snapshot: Snapshot) -> CredentialsError:
    """Return the error for credentials that had expired when they were read."""
    key, expires_at = snapshot.credentials.access_key, snapshot.credentials.expires_at
    problem = f"{source!r} returned credentials ({snapshot.method}, {key}) that expired at {expires_at}"
    remedy = _EXPIRED.get(snapshot.method, Remedy("credentials-expired", "Renew them at their source"))
    return CredentialsError(problem, *_for_profile(remedy, source.profile if isinstance(source, SdkChain) else None))


def session_token_remedy(access_key: str, *, has_session_token: bool) -> Remedy | None:
    """Return what to do if a key lacks its session token, or has one that must belong to another key."""
    if is_temporary(access_key) and not has_session_token:
        text = "An access key that begins with ASIA is temporary and works only with its session token. Set it as well"
        return Remedy("session-token-missing", text, "export AWS_SESSION_TOKEN=...")
    if access_key.startswith("AKIA") and has_session_token:
        text = "An access key that begins with AKIA is long-term and has no session token. Unset the left-over token"
        return Remedy("session-token-left-behind", text, "unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN")
    return None


def safe_text(error: BaseException) -> str:
    """Return an error's class, and of its text what is no answer of a credentials source.

    AWS's error codes and messages are shown. So are botocore's own texts, with profiles, paths, regions, parameters and
    endpoints, the reason and the path of a system error, and the names of missing modules and keys. All other texts may
    quote an answer, and with it a key. The rule is the same for the SDK's errors and for those of a caller's callable.
    """
    text = " ".join((_safe_part(error) or "").split())
    name = type(error).__name__
    return f"{name}: {text}" if text else f"{name} (its text is not shown: it may quote the answer)"


def _safe_part(error: BaseException) -> str | None:
    if any(base.__module__ == "botocore.exceptions" for base in type(error).__mro__):
        return _part_of_botocore(error)
    match error:
        case OSError(strerror=str(reason), filename=path):
            return reason if path is None else f"{reason}: {path!r}{_variables(path)}"
        case configparser.Error():
            lines = [getattr(error, "lineno", None), *(line for line, _ in getattr(error, "errors", ()))]
            return f"line {next(filter(None, lines), 'unknown')}"
        case KeyError(args=[str(key)]) if key.isidentifier() and len(key) <= _LONGEST_NAME:
            return key
        case ImportError() | ValueError() if isinstance(error, ImportError) or str(error).startswith(_OF_CONFIGURATION):
            return str(error)
    return None


def _part_of_botocore(error: Any) -> str | None:
    if (code := _error_code(error)).isdigit():  # no error message of AWS: botocore 1.43 then quotes the answer
        return f"HTTP status {code}"
    if (details := getattr(error, "kwargs", None)) is None:
        return str(error) if code else None  # a ClientError
    fields = {name: _safe_field(type(error).__name__, name, value, details) for name, value in details.items()}
    text = str(error.fmt.format(**fields))
    if isinstance(details.get("error"), Exception) and "{error}" not in error.fmt:
        text += f" ({fields['error']})"
    # Without the user and the password of a proxy, and without queries.
    return re.sub(r"(\w+://)[^/\s\"']*@|\?[^\s\"']*", r"\1", text).rstrip(".") + _variables(*details.values())


def _safe_field(error_name: str, name: str, value: object, details: dict[str, Any]) -> object:
    if isinstance(value, Exception):
        return safe_text(value)
    if name == "report":
        return re.sub(r"value: .*?, (?=type|valid)", "", str(value))
    if name == "error_msg" and error_name not in _OWN_TEXTS:
        text = str(value).removeprefix("Error retrieving metadata: ")
        if details.get("provider") == "custom-process" and not text.startswith(_OF_PROCESS):
            return "the credential_process failed"
        own = _OWN_PART.match(text)
        return own[0] if own else ""
    return value


def _error_code(error: BaseException) -> str:
    response = getattr(error, "response", None)  # botocore.exceptions.ClientError
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _variables(*values: object) -> str:
    """Name the AWS variables in the environment that hold a value which is shown."""
    names = [name for name, value in os.environ.items() if name.startswith("AWS_") and value and value in values]
    return f" ({', '.join(names)})" if names else ""


def _remedy(error: Exception, profile: str | None) -> Remedy | tuple[()]:
    keys: list[object] = [_error_code(error), *(base.__name__ for base in type(error).__mro__)]
    keys.append(getattr(error, "kwargs", {}).get("provider"))
    return next((_for_profile(_REMEDIES[key], profile) for key in map(str, keys) if key in _REMEDIES), ())


def _for_profile(remedy: Remedy, profile: str | None) -> Remedy:
    flag = f" --profile {shlex.quote(profile)}" if profile else ""
    return remedy._replace(command=remedy.command and remedy.command.replace("{profile}", flag))
