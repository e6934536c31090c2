"""The query of a DSN: a setting reaches the server, and what was meant for this package or the driver does not."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import ConfigurationError
from tests.credentials.conftest import AwsHome
from tests.login.conftest import Rds, give_environment
from tests.options.reader import Options

# These settings have the names of what a DSN has always had, or of what asyncpg reads itself.
READ_HERE = {"port", "ssl", "ssl_min_protocol_version", "ssl_max_protocol_version"}
# PostgreSQL 18 has these, 15 not yet.
NEWER = [
    "allow_alter_system",
    "autovacuum_vacuum_max_threshold",
    "autovacuum_worker_slots",
    "commit_timestamp_buffers",
    "createrole_self_grant",
    "debug_io_direct",
    "debug_logical_replication_streaming",
    "debug_parallel_query",
    "enable_distinct_reordering",
    "enable_group_by_reordering",
    "enable_presorted_aggregate",
    "enable_self_join_elimination",
    "event_triggers",
    "extension_control_path",
    "file_copy_method",
    "file_extend_method",
    "gss_accept_delegation",
    "huge_pages_status",
    "icu_validation_level",
    "idle_replication_slot_timeout",
    "io_combine_limit",
    "io_max_combine_limit",
    "io_max_concurrency",
    "io_method",
    "io_workers",
    "log_lock_failures",
    "max_active_replication_origins",
    "max_notify_queue_pages",
    "max_parallel_apply_workers_per_subscription",
    "md5_password_warnings",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "num_os_semaphores",
    "oauth_validator_libraries",
    "reserved_connections",
    "restrict_nonsystem_relation_kind",
    "scram_iterations",
    "send_abort_for_crash",
    "send_abort_for_kill",
    "serializable_buffers",
    "ssl_groups",
    "ssl_tls13_ciphers",
    "subtransaction_buffers",
    "summarize_wal",
    "sync_replication_slots",
    "synchronized_standby_slots",
    "trace_connection_negotiation",
    "track_cost_delay_timing",
    "transaction_buffers",
    "transaction_timeout",
    "vacuum_buffer_usage_limit",
    "vacuum_max_eager_freeze_failure_rate",
    "vacuum_truncate",
    "wal_summary_keep_time",
]
# These are not settings of the server, but a DSN has them in the same place.
LIKE_SETTINGS = ["options", "replication", "app.timeout", "a.user", "iam.tenant", "ssl.mode"]


def settings(query: str) -> Mapping[str, Any]:
    request = Options().read(f"postgresql://app@db/shop?{query}", {}, pool=True).request
    found: Mapping[str, Any] = request.driver_options
    return dict(found.get("server_settings", {}))


async def test_every_setting_of_postgresql_is_left_to_the_server(postgresql: Rds, aws_home: AwsHome) -> None:
    give_environment(aws_home, postgresql.emulator.account.create_access_key())
    connection = await postgresql.connect()
    names = {row["name"] for row in await connection.fetch("SELECT name FROM pg_settings")}
    await connection.close()
    assert len(names) > 300
    for name in sorted(names.union(NEWER, LIKE_SETTINGS) - READ_HERE):
        assert settings(f"{name}=1") == {name: "1"}


async def test_settings_of_a_dsn_are_set(postgresql: Rds, aws_home: AwsHome) -> None:
    give_environment(aws_home, postgresql.emulator.account.create_access_key())
    query = "application_name=till&lock_timeout=1234&search_path=sales&options=-c%20work_mem%3D1MB&app.timeout=5"
    connection = await aws_iam_async.connect(f"{postgresql.dsn}?{query}", **postgresql.options)
    for name, value in {
        "application_name": "till",
        "lock_timeout": "1234ms",
        "search_path": "sales",
        "work_mem": "1MB",
        "app.timeout": "5",
    }.items():
        assert await connection.fetchval("SELECT current_setting($1)", name) == value
    await connection.close()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sslmod", "did you mean sslmode?"),
        ("SSLMode", "did you mean sslmode?"),
        ("ssl_mode", "did you mean sslmode?"),
        ("sslrootcrt", "did you mean sslrootcert?"),
        ("sslrootca", "did you mean sslrootcert?"),
        ("ssl_ca", "did you mean sslrootcert?"),
        ("sslcompressed", "with plugins 'iam'"),
        ("iam", """did you mean plugins="iam"?"""),
        ("use_iam_auth", """did you mean plugins="iam"?"""),
        ("enable_iam_auth", """did you mean plugins="iam"?"""),
        ("useIAMAuth", """did you mean plugins="iam"?"""),
        ("profil", "did you mean profile?"),
        ("pasword", "did you mean password?"),
        ("plugins", "pass it as a keyword"),
        ("plugin", "did you mean plugins?"),
        ("driver", "pass it as a keyword"),
        ("aws_secret_access_key", "with plugins 'iam'"),
        ("AWS_SESSION_TOKEN", "with plugins 'iam'"),
        ("my_secret", "with plugins 'iam'"),
        ("api_token", "with plugins 'iam'"),
        ("pwd", "with plugins 'iam'"),
        ("roleArn", "did you mean role_arn?"),
        ("role_arn", "role_arn must be the ARN of an IAM role"),
        ("region_name", "with plugins 'iam'"),
    ],
)
async def test_what_was_meant_for_us_never_reaches_the_server(rds: Rds, name: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(hint)):
        await aws_iam_async.connect(f"{rds.dsn}?{name}=1", **rds.options)
    assert rds.emulator.connections == 0
    assert rds.emulator.logins == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("timeout", "dsn: timeout cannot be set there; pass it as a keyword"),
        ("timeot", "did you mean timeout?"),
        ("connect_timeout", "did you mean timeout?"),
        ("command_timeout", "pass it as a keyword"),
        ("servr_settings", "did you mean server_settings?"),
        ("max_size", "pass it as a keyword"),
        ("min_siz", "did you mean min_size?"),
        ("minsize", "did you mean min_size?"),
        ("target_session_attr", "did you mean target_session_attrs?"),
        ("sslkeys", "did you mean sslkey?"),
    ],
)
def test_what_was_meant_for_asyncpg_is_no_setting(name: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(hint)):
        settings(f"{name}=1")
