"""The private names of aiomysql and psycopg_pool that their drivers build on.

Where they move, the range of versions in pyproject.toml ends.
"""

import inspect
from types import FunctionType
from typing import Any

import aiomysql
import psycopg
import psycopg_pool
import pytest
from aiomysql.connection import _StreamReader
from psycopg_pool.pool_async import AddConnection, WaitingClient

from aws_iam_async.drivers.aiomysql.pool import Pool

HINT = "aiomysql {0} has no {1} any more: adapt aws_iam_async/drivers/aiomysql and the range in pyproject.toml"


def missing(name: str) -> str:
    return HINT.format(aiomysql.__version__, name)


def names_in(function: Any) -> set[str]:
    return set(inspect.unwrap(function).__code__.co_names)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_connect", "(self)"),
        ("_get_server_information", "(self)"),
        ("_process_auth", "(self, plugin_name, auth_packet)"),
        ("_read_query_result", "(self, unbuffered=False)"),
        ("_read_packet", "(self, packet_type=<class 'pymysql.protocol.MysqlPacket'>)"),
        ("_request_authentication", "(self)"),
        ("autocommit", "(self, value)"),
        ("close", "(self)"),
        ("ensure_closed", "(self)"),
        ("query", "(self, sql, unbuffered=False)"),
        ("write_packet", "(self, payload)"),
    ],
)
def test_connection_methods(name: str, parameters: str) -> None:
    method = getattr(aiomysql.Connection, name, None)
    assert method, missing(f"Connection.{name}")
    assert str(inspect.signature(method)) == parameters, missing(f"Connection.{name}{parameters}")


@pytest.mark.parametrize(
    "name",
    [
        "_auth_plugin_used",
        "_client_auth_plugin",
        "_close_reason",
        "_db",
        "_host",
        "_loop",
        "_password",
        "_port",
        "_reader",
        "_result",
        "_secure",
        "_server_auth_plugin",
        "_ssl_context",
        "_unix_socket",
        "_user",
        "_writer",
        "autocommit_mode",
        "client_flag",
        "host_info",
        "init_command",
        "sql_mode",
    ],
)
async def test_connection_attributes(name: str) -> None:
    assert name in vars(aiomysql.Connection()), missing(f"Connection.{name}")


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("ping", "_connect"),
        ("_connect", "_next_seq_id"),
        ("_connect", "connected_time"),
        ("write_packet", "_next_seq_id"),
        ("_read_packet", "_next_seq_id"),
        ("_read_bytes", "_reader"),
        ("_get_server_information", "server_capabilities"),
        ("_request_authentication", "_password"),
        ("_request_authentication", "_process_auth"),
        ("_request_authentication", "_ssl_context"),  # None: it leaves TLS to us
    ],
)
def test_what_connection_methods_use(method: str, name: str) -> None:
    assert name in names_in(getattr(aiomysql.Connection, method)), missing(f"{name} in Connection.{method}")


@pytest.mark.parametrize("name", ["_closed", "_closing", "_free", "_loop", "_recycle", "_terminated", "_used"])
async def test_pool_attributes(name: str) -> None:
    pool = aiomysql.Pool(minsize=0, maxsize=1, echo=False, pool_recycle=-1, loop=None)
    assert name in vars(pool), missing(f"Pool.{name}")


def test_pool_acquires_through_our_method() -> None:
    assert "_acquire" in names_in(aiomysql.Pool.acquire), missing("Pool._acquire in Pool.acquire")


def test_no_way_leads_to_the_pools_own_lock() -> None:
    lock = {"_cond", "_acquiring", "_fill_free_pool", "_wakeup"}
    functions = {
        name: value.fget if isinstance(value, property) else value for name, value in vars(aiomysql.Pool).items()
    }
    used_by = {name for name, value in functions.items() if isinstance(value, FunctionType) and lock & names_in(value)}
    assert used_by - set(vars(Pool)) == {"_fill_free_pool", "_wakeup"}, missing("way of using its lock as in 0.3.2")


def test_reader_tells_of_a_hang_up() -> None:
    assert isinstance(_StreamReader.eof_received, property), missing("_StreamReader.eof_received")


def moved(name: str) -> str:
    return (
        f"psycopg_pool {psycopg_pool.__version__} has no {name} any more:"
        " adapt aws_iam_async/drivers/psycopg.py and the range in pyproject.toml"
    )


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (psycopg_pool.AsyncConnectionPool._connect, "(self, timeout: 'float | None' = None) -> 'ACT'"),
        (psycopg_pool.AsyncConnectionPool._maybe_grow_pool, "(self) -> 'None'"),
        (psycopg_pool.AsyncConnectionPool.run_task, "(self, task: 'MaintenanceTask') -> 'None'"),
        (psycopg_pool.AsyncConnectionPool.schedule_task, "(self, task: 'MaintenanceTask', delay: 'float') -> 'None'"),
        (WaitingClient.fail, "(self, error: 'Exception') -> 'bool'"),
    ],
)
def test_methods_of_psycopgs_pool(method: Any, parameters: str) -> None:
    assert str(inspect.signature(method)) == parameters, moved(f"{method.__qualname__}{parameters}")


async def test_attributes_of_psycopgs_pool() -> None:
    pool = psycopg_pool.AsyncConnectionPool("", open=False)
    await pool.open()
    await pool.close()
    assert {"_waiting", "_pool_full_event"} <= set(vars(pool)), moved("state of this name")
    assert AddConnection(pool, growing=True).growing is True, moved("AddConnection.growing")


def test_psycopgs_pool_makes_and_repeats_connections_through_our_methods() -> None:
    used = names_in(psycopg_pool.AsyncConnectionPool._add_connection)
    assert {"_connect", "schedule_task", "AddConnection"} <= used, moved("way to connect")
    assert "_maybe_grow_pool" in names_in(psycopg_pool.AsyncConnectionPool._getconn_unchecked), moved("way to wait")


def test_psycopgs_errors_hold_what_is_removed() -> None:
    assert {"password", "info"} <= set(vars(psycopg.errors.FinishedPGconn())), moved("FinishedPGconn.password")
