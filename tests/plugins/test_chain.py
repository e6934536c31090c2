"""How plugins are found, put in order, and what they can do."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import aws_iam_async
from aws_iam_async import (
    AwsIamError,
    ConfigurationError,
    ConnectNext,
    ConnectRequest,
    Plugin,
    PluginManager,
    PluginNotFoundError,
    register_plugin,
)
from aws_iam_async.drivers.asyncpg import AsyncpgDriver
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.pipeline import Pipeline
from aws_iam_async.plugins.retirement import Retirement
from aws_iam_async.statistics import Counters, Hooks


class Recorder:
    """Writes down when it is entered and left."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        self.log.append(f"+{self.name}")
        connection = await call_next(request)
        self.log.append(f"-{self.name}")
        return connection


async def dial(plugins: Sequence[Plugin], request: ConnectRequest | None = None) -> Any:
    async def terminal(request: ConnectRequest) -> Any:
        return request

    pipeline = Pipeline(AsyncpgDriver(), plugins, Counters(), Retirement(plugins, Counters(), Hooks()))
    return await pipeline.connect(request or ConnectRequest(driver="asyncpg"), terminal)


async def test_the_first_plugin_is_outermost() -> None:
    log: list[str] = []
    await dial([Recorder("a", log), Recorder("b", log)])
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_plugin_may_change_the_request() -> None:
    class Rename:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
            return await call_next(request.replace(database="other", password="s3cret"))

    request = ConnectRequest(driver="asyncpg", database="shop")
    seen = await dial([Rename()], request)
    assert (seen.database, seen.password) == ("other", "s3cret")
    assert (request.database, request.password) == ("shop", None)
    assert "s3cret" not in repr(seen)


async def test_a_plugin_may_try_again_or_not_dial_at_all() -> None:
    calls: list[ConnectRequest] = []

    class Twice:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
            await call_next(request)
            return await call_next(request)

    class Never:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002
            calls.append(request)
            return "instead"

    assert await dial([Twice(), Never()]) == "instead"
    assert len(calls) == 2


def test_a_request_cannot_be_changed_in_place() -> None:
    request = ConnectRequest(driver="asyncpg")
    with pytest.raises(AttributeError):
        request.host = "other"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("holder", ["options", "driver_options"])
def test_nothing_in_a_request_can_be_changed_in_place(holder: str) -> None:
    given: dict[str, Any] = {"server_settings": {"jit": "off"}, "names": ["a", {"b"}]}
    options: dict[str, Any] = {holder: given}
    requests = ConnectRequest(driver="asyncpg", **options), ConnectRequest(driver="asyncpg").replace(**options)
    given["server_settings"]["jit"] = "on"
    given["names"].append("c")
    for request in requests:
        held = getattr(request, holder)
        assert held == {"server_settings": {"jit": "off"}, "names": ("a", frozenset({"b"}))}
        for mapping in (held, held["server_settings"]):
            with pytest.raises(TypeError):
                mapping["application_name"] = "mine"


async def test_a_plugin_changes_the_settings_of_its_own_connection_only() -> None:
    seen: list[Any] = []

    class Names:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
            settings = {**request.driver_options["server_settings"], "application_name": str(len(seen))}
            return await call_next(
                request.replace(driver_options={**request.driver_options, "server_settings": settings})
            )

    class Stops:
        async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
            del call_next
            seen.append(request.driver_options["server_settings"])
            return object()

    dsn = "postgresql://app@db.example/shop?application_name=own&jit=off"
    for _ in range(2):
        await aws_iam_async.connect(dsn, plugins=[Names(), Stops()])
    await aws_iam_async.connect(dsn, plugins=[Stops()])
    assert [settings["application_name"] for settings in seen] == ["0", "1", "own"]


async def test_a_managers_plugins_are_chosen_when_it_is_made() -> None:
    async with PluginManager() as manager:
        for way in (manager.connect, manager.create_pool):
            with pytest.raises(ConfigurationError, match="plugins: a manager's plugins are chosen when it is made"):
                await way("postgresql://app@db/shop", plugins="otel,iam")


@pytest.mark.parametrize("code", ["failover", "efm", "readWriteSplitting"])
def test_a_plugin_of_other_wrappers_is_not_here(code: str) -> None:
    with pytest.raises(PluginNotFoundError, match=f"unknown plugin '{code}'.*This package has no others") as refused:
        PluginManager(plugins=code)
    assert "install" not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("failover", "role"),
        ("failover_v2", "role"),
        ("IAM", "iam"),
        ("aim", "iam"),
        ("secretsManager", "secrets_manager"),
    ],
)
def test_a_message_names_the_plugin_that_was_probably_meant(code: str, meant: str) -> None:
    with pytest.raises(PluginNotFoundError, match=f"unknown plugin '{code}'; did you mean '{meant}'"):
        PluginManager(plugins=code)


MISPLACED = "postgresql://app:hunter2@db.example/shop"


@pytest.mark.parametrize(
    "options",
    [
        {"driver": MISPLACED},
        {"driver": MISPLACED, "dsn": "mysql://app@db/shop"},
        {"plugins": MISPLACED},
        {"plugins": f"iam,{MISPLACED}"},
        {"plugins": f"{MISPLACED},"},
        {"driver": "asyncpg", "sslmode": MISPLACED},
        {"driver": "asyncpg", "ssl": MISPLACED},
        {"driver": "aiomysql", "host": MISPLACED},
        {"driver": "asyncpg", "host": "db", "port": MISPLACED},
        {"driver": "asyncpg", "user": "app", "host": "db.example", "sslrootcert": MISPLACED, "iam_host": MISPLACED},
        {"driver": "asyncpg", "user": "app", "host": "db.example", "iam_host": MISPLACED},
        {"driver": "asyncpg", "user": "app", "host": "db.c9akciq32.rds.amazonaws.com", "iam_region": MISPLACED},
        {"dsn": MISPLACED.replace("://", ":/")},
        {"dsn": f"url={MISPLACED.replace('://', '')}"},
    ],
)
async def test_a_dsn_in_the_wrong_place_is_not_repeated(options: dict[str, Any]) -> None:
    for way in (aws_iam_async.connect, aws_iam_async.create_pool):
        with pytest.raises(ConfigurationError) as refused:
            await way(**options)
        assert "hunter2" not in str(refused.value)


def test_an_unknown_code_names_the_known_ones() -> None:
    register_plugin("known-one", lambda: Recorder("known-one", []))
    with pytest.raises(PluginNotFoundError, match=r"'imm'.*iam.*known-one"):
        PluginManager(plugins="imm")


def test_a_factory_is_called_once_for_each_manager() -> None:
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder("r", []))
        return made[-1]

    register_plugin("counted", factory)
    PluginManager(plugins="counted, counted")
    PluginManager(plugins=["counted"])
    assert len(made) == 2


@pytest.mark.parametrize("plugins", ["iam,", ",", [5], 5, [Recorder], [None]])
def test_what_is_no_list_of_plugins_is_refused(plugins: Any) -> None:
    with pytest.raises(ConfigurationError, match="plugins"):
        PluginManager(plugins=plugins)


@pytest.mark.parametrize(
    ("code", "factory"), [("", Recorder), ("a,b", Recorder), (" a", Recorder), ("iam", Recorder), ("x", 5)]
)
def test_what_cannot_be_registered_is_refused(code: str, factory: Any) -> None:
    with pytest.raises(ConfigurationError, match="plugin"):
        register_plugin(code, factory)


def test_a_factory_must_make_a_plugin() -> None:
    register_plugin("makes-nonsense", object)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ConfigurationError, match="makes-nonsense"):
        PluginManager(plugins="makes-nonsense")


def test_a_plugin_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "installed_plugin.py").write_text(
        "class Installed:\n    async def connect(self, request, call_next):\n        return await call_next(request)\n"
    )
    metadata = tmp_path / "installed_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[aws_iam_async.plugins]\ninstalled = installed_plugin:Installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert repr(PluginManager(plugins="installed,iam")) == "<PluginManager open plugins='installed,iam'>"
    assert "installed_plugin" in sys.modules
    with pytest.raises(PluginNotFoundError, match="installed"):
        PluginManager(plugins="unheard-of")


def test_options_of_plugins_are_known_by_their_names() -> None:
    class WithOption(Recorder):
        option_names = frozenset({"attempts"})

    PluginManager(plugins=[WithOption("w", [])], attempts=3)
    with pytest.raises(ConfigurationError, match="did you mean attempts"):
        PluginManager(plugins=[WithOption("w", [])], atempts=3)


def test_option_names_that_are_one_text_are_refused() -> None:
    class WithOption(Recorder):
        option_names = "tenant"

    with pytest.raises(ConfigurationError, match=r"WithOption\.option_names is a string.* write .*\('tenant',\)"):
        PluginManager(plugins=[WithOption("w", [])])


@pytest.mark.parametrize("name", sorted(PLUGIN_OPTIONS["iam"] | PLUGIN_OPTIONS["secrets_manager"]))
async def test_an_option_of_a_plugin_is_never_a_setting_of_the_server(name: str) -> None:
    manager = PluginManager(plugins="")
    needs = rf"unknown option '{name}' .* it needs the plugin '"
    with pytest.raises(ConfigurationError, match=needs):
        await manager.connect(f"postgresql://app@127.0.0.1:1/shop?{name}=x")
    with pytest.raises(ConfigurationError, match=needs):
        await manager.connect("postgresql://app@127.0.0.1:1/shop", server_settings={name: "x"})


async def test_an_option_of_a_plugin_that_is_not_in_the_chain() -> None:
    manager = PluginManager(plugins=[Recorder("r", [])])
    with pytest.raises(ConfigurationError, match=r"'iam_host' for driver .*: it needs the plugin 'iam' in plugins="):
        await manager.connect("postgresql://app@db/shop?iam_host=x")
    with pytest.raises(
        ConfigurationError,
        match="unknown option 'tenant' for a PluginManager with plugins 'Recorder': pass options of the driver to"
        r" connect\(\) or create_pool\(\)$",
    ):
        PluginManager(plugins=[Recorder("r", [])], tenant=1)


def test_a_managers_misspelt_option_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean profile"):
        PluginManager(profil="prod")


async def test_a_closed_manager_opens_nothing_and_closes_its_plugins() -> None:
    closed: list[str] = []

    class Closing(Recorder):
        async def aclose(self) -> None:
            closed.append(self.name)

    async with PluginManager(plugins=[Closing("c", [])]) as manager:
        pass
    assert closed == ["c"]
    with pytest.raises(AwsIamError, match="closed"):
        await manager.connect("postgresql://app@127.0.0.1:1/shop")


@dataclasses.dataclass
class Unhashable:
    """As any dataclass is that can be compared."""

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:  # noqa: ARG002 - dials nothing
        return request.host


async def test_a_plugin_need_not_be_hashable() -> None:
    assert await aws_iam_async.connect("postgresql://db", plugins=[Unhashable()]) == "db"


class Synchronous:
    """A plugin without the word `async`."""

    def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        return call_next(request)

    def check(self, request: ConnectRequest) -> None:
        pass

    def aclose(self) -> None:
        pass


class SynchronousConnect:
    def connect(self, request: ConnectRequest, call_next: ConnectNext) -> None:
        pass


async def test_a_check_that_is_not_async_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"Synchronous\.check\(\) is not async: write 'async def check\("):
        await aws_iam_async.create_pool(driver="asyncpg", host="db", plugins=[Synchronous()], min_size=0)


async def test_a_connect_that_is_not_async_is_named() -> None:
    plugin: Any = SynchronousConnect()
    with pytest.raises(ConfigurationError, match=r"SynchronousConnect\.connect\(\) is not async: write 'async def"):
        await aws_iam_async.connect(driver="asyncpg", host="db", plugins=[plugin])


async def test_a_connect_may_return_the_awaitable() -> None:
    request = ConnectRequest(driver="asyncpg")
    assert await dial([Synchronous()], request) is request


async def test_an_aclose_that_is_not_async_is_named() -> None:
    manager = PluginManager(plugins=[Synchronous()])
    with pytest.raises(ConfigurationError, match=r"Synchronous\.aclose\(\) is not async: write 'async def aclose"):
        await manager.aclose()
