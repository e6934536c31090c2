"""Say what went wrong in the SDK without repeating what a process or an endpoint answered: that may hold secrets."""

import re

from aws_iam_async.errors import CredentialsError

# botocore 1.43: their text is botocore's own, or an error message of AWS. Those left out quote the answer itself:
# CredentialRetrievalError the standard error of a credential_process, MetadataRetrievalError the body of a response,
# ResponseParserError the XML it could not read; json.JSONDecodeError carries it as an attribute.
_OWN_WORDS = frozenset(
    {
        "ClientError",
        "ConfigNotFound",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "EndpointConnectionError",
        "InfiniteLoopConfigError",
        "InvalidConfigError",
        "NoCredentialsError",
        "NoRegionError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "RefreshWithMFAUnsupportedError",
        "SSLError",
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "UnknownCredentialError",
    }
)


def explain(error: Exception, looked_in: str) -> CredentialsError:
    """Make this package's error out of one of the SDK's.

    Args:
        error: What the SDK raised.
        looked_in: What was being read.

    Returns:
        The error to raise. The SDK's error is its cause only where it holds nothing but the SDK's own words.
    """
    name = type(error).__name__
    if (status := _unreadable(error)) is not None:
        return CredentialsError(f"no AWS credentials from {looked_in}: {name}: HTTP status {status}")
    if any(base.__name__ in _OWN_WORDS and base.__module__ == "botocore.exceptions" for base in type(error).__mro__):
        failure = CredentialsError(f"no AWS credentials from {looked_in}: {name}: {error}")
        failure.__cause__ = _bare(error)
        return failure
    return CredentialsError(f"no AWS credentials from {looked_in}: {name}{_kept(error)}")


def _unreadable(error: Exception) -> str | None:
    """Return the HTTP status of an answer that is no error message of AWS: botocore 1.43 then quotes the answer."""
    response = getattr(error, "response", None)  # botocore.exceptions.ClientError
    code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
    return code if code.isdigit() else None


def _bare(error: Exception) -> Exception:
    """Take away what leads from an error to other objects: frames with their locals, and the errors before it."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _kept(error: Exception) -> str:
    """Return the part of a botocore error's text that the answer has no share in."""
    details = getattr(error, "kwargs", None)  # botocore.exceptions.BotoCoreError
    if not isinstance(details, dict):
        return " (its text is not shown: it may quote the answer)"
    provider = details.get("provider")
    text = str(details.get("error_msg", "")).removeprefix("Error retrieving metadata: ")
    if provider == "custom-process" and not text.startswith(("Unsupported version", "Missing required key")):
        return ": the credential_process failed; run its command by hand to see what it says"
    where = f" from {provider}" if provider else ""
    own_words = re.split(r"[:\n]", text, maxsplit=1)[0][:120]
    return f"{where}: {own_words}" if own_words else where
