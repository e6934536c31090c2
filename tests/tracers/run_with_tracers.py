"""Tracers that patch the drivers: connections and pools work as without them, and no span holds a token.

``nox -s tracers`` runs this file, since the tracers are no dependencies of the project. A tracer patches its whole
process, so each has one of its own.
"""

import os
import subprocess
import sys

import pytest

from aws_iam_async.testing import AccessKey, Emulator

# How each tracer is switched on, and what it has seen afterwards, as text.
TRACERS = {
    "none": ("", "'SELECT 41'"),
    "ddtrace": (
        """
import ddtrace
from ddtrace.trace import TraceFilter, tracer

seen = []

class Keep(TraceFilter):
    def process_trace(self, trace):
        seen.extend((span.name, span.resource, span.get_tags()) for span in trace)
        return None  # nothing is sent

tracer.configure(trace_processors=[Keep()])
ddtrace.patch(asyncpg=True, aiomysql=True)
""",
        "seen",
    ),
    "opentelemetry": (
        """
from opentelemetry import trace
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.pymysql import PyMySQLInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
AsyncPGInstrumentor().instrument()
PyMySQLInstrumentor().instrument()
""",
        "[span.to_json() for span in exporter.get_finished_spans()]",
    ),
    "sentry": (
        """
import sentry_sdk

seen = []

def keep(event, hint):
    seen.append(event)

sentry_sdk.init("https://key@127.0.0.1:1/1", traces_sample_rate=1.0, before_send_transaction=keep, before_send=keep)
transaction = sentry_sdk.start_transaction(name="test")
transaction.__enter__()
""",
        "(transaction.__exit__(None, None, None), seen)",
    ),
    "elastic": (
        """
import elasticapm

client = elasticapm.Client(
    service_name="test", server_url="http://127.0.0.1:1", disable_send=True, cloud_provider="none", central_config=False
)
seen = []
client.tracer.queue_func = lambda kind, data, flush=False: seen.append(data)
elasticapm.instrument()
client.begin_transaction("test")
""",
        "(client.end_transaction('test', 'ok'), seen)",
    ),
    "newrelic": (
        """
import newrelic.agent

newrelic.agent.initialize()
application = newrelic.agent.application()
application.activate = lambda *a, **k: None
seen = []
""",
        "seen",
    ),
}
# Tracers that trace what is done on the connections of this package.
TRACED = {
    "asyncpg": {"none", "ddtrace", "opentelemetry", "sentry", "elastic"},
    "aiomysql": {"none", "elastic"},
}
PROGRAM = """
import asyncio, json, os, warnings
%(switch_on)s
import aiomysql, asyncpg
import aws_iam_async
from aws_iam_async.sqlalchemy import create_async_engine
from sqlalchemy import text

DSN = os.environ["DSN"]
OPTIONS = {"iam_host": os.environ["IAM_HOST"], "sslrootcert": os.environ["CA_FILE"]}
POSTGRESQL = DSN.startswith("postgresql")
connection_type, pool_type = (asyncpg.Connection, asyncpg.Pool) if POSTGRESQL else (aiomysql.Connection, aiomysql.Pool)
least, most = ("min_size", "max_size") if POSTGRESQL else ("minsize", "maxsize")

async def value(connection):
    if POSTGRESQL:
        return await connection.fetchval("SELECT 41")
    async with connection.cursor() as cursor:
        await cursor.execute("SELECT 41")
        return (await cursor.fetchone())[0]

async def use():
    async with aws_iam_async.PluginManager() as manager:
        async with manager.connect(DSN, **OPTIONS) as connection:
            print(type(connection).__name__, isinstance(connection, connection_type), await value(connection))
        async with manager.create_pool(DSN, **OPTIONS, **{least: 2, most: 3}) as pool:
            assert isinstance(pool, pool_type), pool
            borrowed = [await pool.acquire() for _ in range(3)]
            print(*[await value(connection) for connection in borrowed])
            for connection in borrowed:
                await pool.release(connection)
        scheme = "postgresql+asyncpg" if POSTGRESQL else "mysql+aiomysql"
        engine = create_async_engine(f"{scheme}:{DSN.partition(':')[2]}", manager=manager, **OPTIONS)
        async with engine.connect() as connection:
            print(await connection.scalar(text("SELECT 42")))
        await engine.dispose()
        print(manager.statistics().connects, manager.statistics().failures)

asyncio.run(use())
print(json.dumps(%(seen)s, default=str))
"""


def run(tracer: str, emulator: Emulator, key: AccessKey) -> list[str]:
    switch_on, seen = TRACERS[tracer]
    environment = {
        **os.environ,
        **key.environment,
        "DSN": emulator.dsn("app", "shop"),
        "IAM_HOST": emulator.host,
        "CA_FILE": str(emulator.ca_file),
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    }
    command = [sys.executable, "-c", PROGRAM % {"switch_on": switch_on, "seen": seen}]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "X-Amz-Signature" not in ran.stdout + ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize("tracer", TRACERS)
@pytest.mark.parametrize("driver", ["asyncpg", "aiomysql"])
def test_a_connection_and_a_pool(
    tracer: str, driver: str, rds_postgres: Emulator, rds_mysql: Emulator, rds_environment: AccessKey
) -> None:
    emulator = {"asyncpg": rds_postgres, "aiomysql": rds_mysql}[driver]
    *printed, spans = run(tracer, emulator, rds_environment)
    assert printed[-4:] == ["Connection True 41", "41 41 41", "42", "5 0"]
    assert [login.accepted for login in emulator.logins] == [True] * 5
    emulator.wait_for_connections(0)
    assert ("SELECT 41" in spans) is (tracer in TRACED[driver])
