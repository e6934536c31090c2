"""Log in to MySQL with IAM through an IP address, a custom domain or a tunnel.

The MySQL sample for custom endpoints of the AWS Advanced NodeJS Wrapper's page "AWS IAM Authentication Plugin":

    python examples/mysql_custom_endpoint.py --user app --database shop \
        --host 10.0.3.7 \
        --iam-host db-identifier.c9akciq32.us-east-2.rds.amazonaws.com \
        --cluster-instance-host-pattern '?.c9akciq32.us-east-2.rds.amazonaws.com' \
        --iam-region us-east-2 \
        --ca-file certificate.pem

Each option may also come from the environment: DB_HOST, DB_USER, DB_IAM_HOST, ... AWS credentials come from where the
AWS SDK looks for them.
"""

import argparse
import asyncio
import os
import sys

import aiomysql

import aws_iam_async


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the environment fills in what it leaves out."""
    parser = argparse.ArgumentParser(description="Log in to MySQL with IAM through a custom endpoint.")

    def add(name: str, text: str, *, required: bool = False) -> None:
        default = os.environ.get("DB_" + name.upper().replace("-", "_"))
        parser.add_argument(f"--{name}", default=default, required=required and default is None, help=text)

    add("host", "IP address, custom domain or tunnel to dial", required=True)
    add("port", "port to dial; default: 3306")
    add("user", "database user identified with AWSAuthenticationPlugin", required=True)
    add("database", "database to open; default: none")
    add("iam-host", "RDS or Aurora endpoint that the host leads to", required=True)
    add("iam-default-port", "port of that endpoint, where a tunnel is dialled on another; default: the dialled port")
    add("iam-region", "region to sign for; default: the one in the name of the endpoint")
    add("cluster-instance-host-pattern", "pattern of the names of the cluster's instances, with one '?'")
    add("ca-file", "PEM file with the only authorities to trust; default: those of Amazon RDS and the system's")
    return parser.parse_args()


async def show_who_is_logged_in(arguments: argparse.Namespace) -> None:
    """Connect, ask the server who it takes us for, and disconnect."""
    async with aws_iam_async.connect(
        driver="aiomysql",
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
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT CURRENT_USER(), DATABASE(), VERSION()")
            ((user, database, version),) = await cursor.fetchall()
        print(f"Logged in as {user} to {database}: {version}")


def main() -> None:
    """Run, and say in one place what went wrong and what to do about it."""
    try:
        asyncio.run(show_who_is_logged_in(parse_arguments()))
    except aws_iam_async.AwsIamError as error:
        # A wrong option, no AWS credentials, no TLS: the message says which and what to change.
        sys.exit(f"{type(error).__name__}: {error}")
    except aiomysql.Error as error:
        # The notes are there when the server refused a token that was new: what it was signed for and what to check.
        sys.exit("\n".join([f"Cannot connect: {error}", *getattr(error, "__notes__", [])]))


if __name__ == "__main__":
    main()
