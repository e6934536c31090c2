"""Log in to PostgreSQL with IAM through an IP address, a custom domain or a tunnel.

This is the PostgreSQL sample for custom endpoints from the AWS Advanced NodeJS Wrapper's page "AWS IAM Authentication
Plugin". To run it:

    python examples/postgresql_custom_endpoint.py --user app --database shop \
        --host 10.0.3.7 \
        --iam-host db-identifier.c9akciq32.us-east-2.rds.amazonaws.com \
        --cluster-instance-host-pattern '?.c9akciq32.us-east-2.rds.amazonaws.com' \
        --iam-region us-east-2 \
        --ca-file certificate.pem

Instead of an option, you can set an environment variable, for example DB_HOST, DB_USER or DB_IAM_HOST. The AWS
credentials are those that the AWS SDK finds.
"""

import argparse
import asyncio
import os
import sys

import asyncpg

import aws_iam_async


def parse_arguments() -> argparse.Namespace:
    """Read the options from the command line, or from the environment if they are not there."""
    parser = argparse.ArgumentParser(description="Log in to PostgreSQL with IAM through a custom endpoint.")

    def add(name: str, description: str, *, required: bool = False) -> None:
        default = os.environ.get("DB_" + name.upper().replace("-", "_"))
        parser.add_argument(f"--{name}", default=default, required=required and default is None, help=description)

    add("host", "IP address, custom domain or tunnel to connect to", required=True)
    add("port", "port to connect to; default: 5432")
    add("user", "database user that has the role rds_iam", required=True)
    add("database", "database to open; default: the user's name")
    add("iam-host", "RDS or Aurora endpoint that the host leads to", required=True)
    add("iam-default-port", "port of that endpoint, if the tunnel's port differs; default: the value of --port")
    add("iam-region", "AWS region to sign for; default: the region in the name of the endpoint")
    add("cluster-instance-host-pattern", "pattern of the host names of the cluster's instances, with one '?'")
    add("ca-file", "PEM file of the certificate authorities to trust; default: Amazon RDS and the system's")
    return parser.parse_args()


async def show_login(arguments: argparse.Namespace) -> None:
    """Connect, print the user and the database that the server reports, and disconnect."""
    async with aws_iam_async.connect(
        driver="asyncpg",
        plugins="iam",
        host=arguments.host,
        port=arguments.port,
        user=arguments.user,
        database=arguments.database,
        iam_host=arguments.iam_host,
        iam_default_port=arguments.iam_default_port,
        iam_region=arguments.iam_region,
        cluster_instance_host_pattern=arguments.cluster_instance_host_pattern,
        sslrootcert=arguments.ca_file,
    ) as connection:
        user, database, version = await connection.fetchval("SELECT (current_user, current_database(), version())")
        print(f"Logged in as {user} to {database}: {version}")


def main() -> None:
    """Run the example. If it fails, print the cause and the advice of the error, and exit with status 1."""
    try:
        asyncio.run(show_login(parse_arguments()))
    except aws_iam_async.AwsIamError as error:
        # For example a wrong option, missing AWS credentials or no TLS. The message says what to change.
        sys.exit(f"{type(error).__name__}: {error}")
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        # The server refused a new token. The notes say what the token was signed for and what to check.
        sys.exit("\n".join(["Login refused: " + str(error), *getattr(error, "__notes__", [])]))
    except (OSError, asyncpg.PostgresError) as error:
        sys.exit(f"Cannot connect: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
