"""What an error of a credentials source means: its cause in words that hold no secret, and the remedy."""

import os
import re
import shlex
from typing import Any, NamedTuple

from aws_iam_async.credentials.credentials import is_temporary
from aws_iam_async.errors import CredentialsError


class Remedy(NamedTuple):
    """What to do about a cause of errors. The command may have fields for ``str.format()``."""

    cause: str
    text: str
    command: str | None = None

    def error(self, problem: str, **fields: str) -> CredentialsError:
        return CredentialsError(problem, self.cause, self.text, self.command and self.command.format(**fields))


def profile_flag(profile: str | None) -> str:
    """Return the option of the AWS CLI for a profile, with a space before it."""
    return f" --profile {shlex.quote(profile)}" if profile else ""


EXPIRED = Remedy("credentials-expired", "Get new credentials from the same source")
_UNKNOWN_KEY = Remedy(
    "credentials-invalid",
    "AWS does not know this access key. It was deleted or deactivated, belongs to another partition, or is temporary"
    " and has a wrong session token. AWS does not know the keys of an emulator either",
)
_WRONG_SIGNATURE = Remedy(
    "credentials-invalid",
    "The secret key does not belong to this access key id, or this machine's clock is wrong. Check that both keys were"
    " copied completely",
)
REFUSED_KEYS = {  # by AWS's error code, of which its services have different ones
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _WRONG_SIGNATURE,
    "InvalidSignatureException": _WRONG_SIGNATURE,
}
NO_CREDENTIALS = Remedy("no-credentials", "Configure one of them, or pass profile= or credentials=")
_MORE = "To see more, use the AWS CLI with the same profile and environment"
SOURCE_FAILED = Remedy("credentials-source-failed", _MORE, "aws sts get-caller-identity")
_DENIED = Remedy(
    "access-denied",
    "Allow its caller this call, such as sts:AssumeRole. Let the role's trust policy name the caller, and pass the"
    " external_id that it requires",
)
_LOGIN = Remedy("credentials-expired", "Sign in again", "aws login{profile}")
_SSO = Remedy("credentials-expired", "Sign in again", "aws sso login{profile}")
_REGION = Remedy("region-of-source", "Set region in the profile, or AWS_DEFAULT_REGION, such as to us-east-1")
_UNREACHABLE = Remedy(
    "endpoint-unreachable",
    "Allow HTTPS to this endpoint. In a VPC without internet access, create an interface endpoint of the service, and"
    " set AWS_DEFAULT_REGION to its region",
)
_CONTAINER = "Check AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and its endpoint"
_PROCESS = "The credential_process runs without a terminal here, so it cannot ask. To see its output, run it in a shell"
# By AWS's error code, by the class or a base of an error of botocore 1.43, or by botocore's name of a source.
_REMEDIES = REFUSED_KEYS | {
    "AccessDenied": _DENIED,
    "ValidationError": Remedy("configuration", "Correct role_arn, external_id or role_session_name"),
    "RegionDisabledException": Remedy(
        "region-of-source",
        "Activate STS for this region in the settings of the account (IAM), or set AWS_DEFAULT_REGION to another one",
    ),
    "ConnectTimeoutError": _UNREACHABLE,
    "EndpointConnectionError": _UNREACHABLE,
    "ReadTimeoutError": _UNREACHABLE,
    "InvalidRegionError": _REGION,
    "NoRegionError": _REGION,
    "SSOError": _SSO,
    "TokenRetrievalError": _SSO,
    "LoginInsufficientPermissions": _DENIED,
    "LoginError": _LOGIN,
    "MissingDependencyException": Remedy("dependency-missing", "Install it", 'pip install "botocore[crt]"'),
    "container-role": Remedy("credentials-source-failed", _CONTAINER),
    "custom-process": Remedy("credentials-source-failed", _PROCESS, "aws sts get-caller-identity{profile}"),
}

# In botocore 1.43 the field ``error_msg`` of these errors quotes what a process or an endpoint answered. Shown is the
# error that it repeats, or one of these texts at its beginning.
_QUOTING = {"CredentialRetrievalError", "MetadataRetrievalError"}
_OWN_TEXT = (
    "Missing required key|Unsupported version|No credentials found in credential_source|Credential refresh failed|"
    r"Received non 200 response \d{3}|Unable to (parse JSON|retrieve token for use in IMDSv2 call)"
)
# Some messages of AWS about wrong signatures quote the signed request, and with it the session token.
_QUOTED_REQUEST = re.compile(r"\n|canonical|authorization|X-Amz-", re.IGNORECASE)
# The texts of a ValueError about the configuration: of the SDK, and of the class Credentials.
_OF_CONFIGURATION = (
    "Credentials: ",
    "Unsupported host",
    "No closing quotation",
    "Auth token value is not",
    "invalid literal for int()",
)
_LONGEST_NAME = 32  # a secret key has 40 characters


def credentials_error(error: Exception, source: str, profile: str | None = None) -> CredentialsError:
    """Convert an error of the SDK into one of this package, without secrets.

    The SDK's error becomes its cause only if its whole text is shown. ``profile`` is the profile to sign in with.
    """
    details = getattr(error, "kwargs", {})
    shown = {str(detail).rstrip("/") for detail in (getattr(error, "filename", None), *details.values())} - {""}
    variables = [name for name, value in os.environ.items() if name.startswith("AWS_") and value.rstrip("/") in shown]
    keys = [error_code(error), *(base.__name__ for base in type(error).__mro__), details.get("provider")]
    remedy = next((_REMEDIES[key] for key in keys if key in _REMEDIES), SOURCE_FAILED)
    named = f" ({', '.join(variables)})" if variables else ""
    problem = f"no AWS credentials from {source}: {safe_text(error)}{named}"
    failure = remedy.error(problem, profile=profile_flag(profile))
    if _is_of_botocore(error) and "error" not in details and " ".join(str(error).split()).rstrip(".") in problem:
        # Without the frames, because their locals may hold secrets, and without the errors before it.
        error.__cause__ = error.__context__ = None
        failure.__cause__ = error.with_traceback(None)
    return failure


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
    text = " ".join((_safe_part(error) or "").split()).rstrip(".")
    name = type(error).__name__
    return f"{name}: {text}" if text else f"{name} (its text is not shown: it may quote the answer)"


def _safe_part(error: BaseException) -> str | None:
    if _is_of_botocore(error):
        return _part_of_botocore(error)
    match error:
        case OSError(strerror=str(reason), filename=path):
            return reason if path is None else f"{reason}: {path!r}"
        case Exception() if type(error).__module__ == "configparser":  # importing it takes a millisecond
            line = re.search(r"\bline:? +\d+", str(error))
            return line and line[0]
        case KeyError(args=[str(key)]) if key.isidentifier() and len(key) <= _LONGEST_NAME:
            return key
        case ImportError() | ValueError() if isinstance(error, ImportError) or str(error).startswith(_OF_CONFIGURATION):
            return str(error)
    return None


def _part_of_botocore(error: Any) -> str:
    if not hasattr(error, "kwargs"):  # a ClientError; without an error message of AWS, botocore 1.43 quotes the answer
        code = error_code(error)
        if code.isdigit() or _QUOTED_REQUEST.search(str(error)):
            return f"HTTP status {code}" if code.isdigit() else code
        return code and str(error)
    fields = {name: safe_text(value) if isinstance(value, Exception) else value for name, value in error.kwargs.items()}
    if "report" in fields:
        fields["report"] = re.sub(r"value: .*?, (?=type|valid)", "", fields["report"])
    if type(error).__name__ in _QUOTING:
        own, before = re.match(_OWN_TEXT, fields["error_msg"]), error.__context__
        fields["error_msg"] = safe_text(before) if _is_of_botocore(before) else own[0] if own else "it failed"
    text = str(error.fmt.format(**fields))
    if "error" in fields and "{error}" not in error.fmt:
        text += f" ({fields['error']})"
    # Without the user and the password of a proxy, and without queries.
    return re.sub(r"(\w+://)[^/\s\"']*@|\?[^\s\"']*", r"\1", text)


def _is_of_botocore(error: BaseException | None) -> bool:
    return any(base.__module__ == "botocore.exceptions" for base in type(error).__mro__)


def error_code(error: BaseException) -> str:
    response = getattr(error, "response", None)  # botocore.exceptions.ClientError
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
