"""One build for each distinct setting, however many ask, from whatever loop and thread; never on a loop."""

import asyncio
import ssl
import threading
from collections import Counter
from pathlib import Path

import pytest

from aws_iam_async import tls, trust
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.trust import contexts
from aws_iam_async.trust.contexts import ContextCache, Setting

SECONDS = 10
FULL = Setting("verify-full")


class Builder:
    """Builds empty contexts, when it is told to, and counts them."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.builds: Counter[Setting] = Counter()
        self.threads: set[str] = set()
        self.error: Exception | None = None

    def __call__(self, setting: Setting) -> ssl.SSLContext:
        self.builds[setting] += 1
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def builder() -> Builder:
    return Builder()


def test_concurrent_callers_on_several_loops_and_threads_share_one_build(builder: Builder) -> None:
    cache = ContextCache(builder)
    waiting = threading.Barrier(5)
    found: list[ssl.SSLContext] = []

    async def ask() -> None:
        tasks = [asyncio.create_task(cache.get(FULL)) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(waiting.wait, SECONDS)  # every task of every loop is waiting by now
        found.extend(await asyncio.gather(*tasks))

    threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    waiting.wait(SECONDS)
    builder.go.set()
    for thread in threads:
        thread.join(SECONDS)
    assert len(found) == 200
    assert len(set(map(id, found))) == 1
    assert builder.builds == {FULL: 1}


async def test_a_context_is_built_in_a_thread_of_its_own(builder: Builder) -> None:
    builder.go.set()
    await ContextCache(builder).get(FULL)
    assert builder.threads == {"aws_iam_async TLS context"}


async def test_drivers_get_their_context_from_the_one_cache_of_the_process(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.go.set()
    monkeypatch.setattr(contexts, "shared", ContextCache(builder))
    wanted = tls.read().secured()
    assert await trust.context(wanted) is await trust.context(tls.read("verify-full")) is not None
    pinned = await trust.context(wanted.secured("db.example"))
    assert pinned is await trust.context(wanted.secured("db.example"))
    assert builder.builds == {FULL: 1}


async def test_one_that_exists_is_returned_without_giving_way_to_the_loop(builder: Builder) -> None:
    builder.go.set()
    cache = ContextCache(builder)
    context = await cache.get(FULL)
    with pytest.raises(StopIteration) as returned:
        cache.get(FULL).send(None)
    assert returned.value.value is context


async def test_each_setting_has_a_context_of_its_own(builder: Builder) -> None:
    builder.go.set()
    cache = ContextCache(builder)
    settings = [FULL, Setting("verify-ca"), Setting("verify-full", "a.pem"), Setting("verify-full", None, "postgresql")]
    assert len({id(await cache.get(setting)) for setting in settings}) == len(settings)


async def test_the_oldest_is_dropped(builder: Builder) -> None:
    builder.go.set()
    cache = ContextCache(builder, maxsize=2)
    one, two, three = (Setting("verify-full", path) for path in ("1.pem", "2.pem", "3.pem"))
    for setting in (one, two, three, two, one):
        await cache.get(setting)
    assert builder.builds == {one: 2, two: 1, three: 1}


async def test_a_cancelled_caller_changes_nothing_for_the_others(builder: Builder) -> None:
    cache = ContextCache(builder)
    first, second = (asyncio.create_task(cache.get(FULL)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    builder.go.set()
    assert await second is await cache.get(FULL)
    assert builder.builds == {FULL: 1}


async def test_a_failed_build_fails_each_caller_with_an_error_of_its_own_and_is_not_kept(builder: Builder) -> None:
    cache = ContextCache(builder)
    builder.error = PermissionError(13, "Permission denied")
    tasks = [asyncio.create_task(cache.get(FULL)) for _ in range(2)]
    await asyncio.sleep(0)
    builder.go.set()
    one, two = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(one, ConfigurationError)
    assert isinstance(two, ConfigurationError)
    assert one is not two
    assert one.__cause__ is builder.error
    builder.error = None
    assert isinstance(await cache.get(FULL), ssl.SSLContext)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file or directory"),
        (b"", "NO_CERTIFICATE_OR_CRL_FOUND"),
        (b"no certificate", "NO_CERTIFICATE_OR_CRL_FOUND"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
async def test_an_unreadable_root_certificate_is_named(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "root.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"^sslrootcert: ") as refused:
        await trust.context(tls.read(sslrootcert=path))
    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)


async def test_a_directory_is_no_root_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^sslrootcert: .* cannot be read"):
        await trust.context(tls.read(sslrootcert=tmp_path))


async def test_a_root_certificate_that_appears_later_is_found(tmp_path: Path, root_cert: Path) -> None:
    path = tmp_path / "root.pem"
    with pytest.raises(ConfigurationError):
        await trust.context(tls.read(sslrootcert=path))
    path.symlink_to(root_cert)
    assert await trust.context(tls.read(sslrootcert=path)) is not None
