"""The IAM policy that a login needs.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
"""

import json
import re

from aws_iam_async.cli.doctor.outcome import Advice
from aws_iam_async.endpoints import RdsEndpoint

__all__ = ["missing_policy", "partition", "resource"]

PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


def partition(region: str) -> str:
    """Return the partition that a region is in, as ARNs call it."""
    return next((name for prefix, name in PARTITIONS.items() if region.startswith(prefix)), "aws")


def resource(*, region: str, account: str | None, user: str) -> str:
    """Return the ARN of a database user, with words in capitals for what is not known.

    Args:
        region: The database's region.
        account: The account's number.
        user: The database user.
    """
    return f"arn:{partition(region)}:rds-db:{region}:{account or 'ACCOUNT'}:dbuser:RESOURCE_ID/{user}"


def missing_policy(
    *, region: str, account: str | None, arn: str | None, user: str, endpoint: RdsEndpoint | None
) -> Advice:
    """The identity may not connect as this user.

    Args:
        region: The database's region.
        account: The number of the identity's account.
        arn: The identity.
        user: The database user.
        endpoint: The endpoint, whose kind says which resource it is.
    """
    who = "the identity" if arn is None else principal(arn)
    statement = {
        "Effect": "Allow",
        "Action": "rds-db:connect",
        "Resource": resource(region=region, account=account, user=user),
    }
    return Advice(
        "missing-policy",
        f"The policies of {who} do not allow rds-db:connect to this user of this database. Attach the statement below; "
        f"RESOURCE_ID is {_resource_id(endpoint)}, never its name.",
        json.dumps(statement, indent=2),
    )


def principal(arn: str) -> str:
    """Return whose policies count: of an assumed role's session, the role."""
    role = re.fullmatch(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.*", arn)
    return f"role {role[1]}" if role else arn


def _resource_id(endpoint: RdsEndpoint | None) -> str:
    match None if endpoint is None else endpoint.kind:
        case "instance":
            return "the DbiResourceId of the instance (db-...), or for Aurora the DbClusterResourceId (cluster-...)"
        case "proxy" | "proxy-endpoint":
            return "the last part of the proxy's ARN (prx-...)"
        case None:
            return "the id of the instance (db-...), the cluster (cluster-...) or the proxy (prx-...)"
        case _:
            return "the DbClusterResourceId of the cluster (cluster-...)"
