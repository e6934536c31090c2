"""What the SDK's errors become."""

import json

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, ProfileNotFound

from aws_iam_async.credentials.failures import credentials_error


def test_a_cause_leads_nowhere_else() -> None:
    try:
        try:
            json.loads('{"SecretAccessKey": "SECRET-KEY-MARK')
        except ValueError:
            raise ProfileNotFound(profile="prod") from None
    except ProfileNotFound as error:
        failure = credentials_error(error, "profile 'prod'")
    cause = failure.__cause__
    assert isinstance(cause, ProfileNotFound)
    assert (cause.__context__, cause.__cause__, cause.__traceback__) == (None, None, None)


def test_errors_of_aws_are_told_in_full() -> None:
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "not for you"}}, "AssumeRole")
    told = str(credentials_error(error, "the default chain"))
    assert "AccessDenied" in told
    assert "not for you" in told


def test_an_answer_that_is_no_error_message_of_aws_is_not_quoted() -> None:
    error = ClientError({"Error": {"Code": "502", "Message": "SECRET-KEY-MARK"}}, "GetRoleCredentials")
    failure = credentials_error(error, "profile 'people'")
    assert failure.problem == "no AWS credentials from profile 'people': ClientError: HTTP status 502"
    assert failure.__cause__ is None


@pytest.mark.parametrize("text", ["", "\n", ":", "a\nSECRET: x", "x" * 1000])
def test_odd_texts(text: str) -> None:
    failure = credentials_error(CredentialRetrievalError(provider="sso", error_msg=text), "the default chain")
    assert "sso" in str(failure)
    assert "SECRET" not in str(failure)
    assert len(str(failure)) < 250
