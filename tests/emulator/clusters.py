"""A cluster with an emulator for each of its names."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aws_iam_async.testing import Emulator, MariadbCluster, PostgresCluster

READER = "shop.cluster-ro-c9akciq32.us-east-1.rds.amazonaws.com"


@dataclass
class Endpoints:
    cluster: Any
    writer: Emulator
    reader: Emulator


@contextlib.contextmanager
def started(cluster: PostgresCluster | MariadbCluster) -> Iterator[Endpoints]:
    with (
        cluster,
        Emulator(cluster.writer) as writer,
        Emulator(cluster.reader, host=READER, account=writer.account) as reader,
    ):
        cluster.create_user("app")
        cluster.create_database("shop", owner="app")
        yield Endpoints(cluster, writer, reader)
