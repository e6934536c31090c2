"""A container's credentials endpoint that gives out keys of a site's account."""

import json
import math
import time
from datetime import UTC, datetime

from aws_iam_async.testing import AccessKey
from tests.credentials.conftest import Answer, AwsHome, Endpoint
from tests.faults.site import Site

DAY = 86400.0


def answer(key: AccessKey, *, life: float = DAY) -> Answer:
    """What it says.

    Args:
        key: The key to give out.
        life: Seconds until it expires, or up to one more: the format knows whole ones only.
    """
    expires = datetime.fromtimestamp(math.ceil(time.time() + life), UTC)
    body = {
        "AccessKeyId": key.access_key,
        "SecretAccessKey": key.secret_key,
        "Token": key.session_token,
        "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
    }
    return Answer(json.dumps(body))


def serve(site: Site, aws_home: AwsHome, endpoint: Endpoint) -> AccessKey:
    """Have the endpoint give out a new key, instead of the one in the environment, and return it."""
    key = site.emulator.account.create_access_key(session=True)
    endpoint.answer = answer(key)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_home.environ.delenv(name)
    aws_home.set(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint.url}/creds")
    return key
