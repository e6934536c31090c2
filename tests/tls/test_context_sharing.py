"""One build for each distinct setting, however many ask, from whatever loop and thread; never on a loop."""

import asyncio
import ssl
import threading
from collections import Counter
from pathlib import Path

import pytest

from aws_iam_async import ConfigurationError, tls
from aws_iam_async.tls import Tls, contexts

SECONDS = 10


class Builder:
    """Builds empty contexts once ``go`` is set, and counts them."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.builds: Counter[Tls] = Counter()
        self.threads: set[str] = set()
        self.error: Exception | None = None

    def __call__(self, setting: Tls) -> ssl.SSLContext:
        self.builds[setting] += 1
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    builder = Builder()
    monkeypatch.setattr(contexts, "build", builder)
    return builder


@pytest.fixture
def wanted(tmp_path: Path) -> Tls:
    """What no other test asks for."""
    return tls.parse(sslrootcert=tmp_path / "root.pem")


def test_concurrent_callers_on_several_loops_and_threads_share_one_build(builder: Builder, wanted: Tls) -> None:
    waiting = threading.Barrier(5)
    found: list[ssl.SSLContext | None] = []

    async def ask() -> None:
        tasks = [asyncio.create_task(contexts.context(wanted)) for _ in range(50)]
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
    assert list(builder.builds.values()) == [1]


async def test_a_context_is_built_in_a_thread_of_its_own(builder: Builder, wanted: Tls) -> None:
    builder.go.set()
    await contexts.context(wanted)
    assert builder.threads == {"aws_iam_async TLS context"}


async def test_all_who_want_the_same_get_the_one_context_of_the_process() -> None:
    wanted = tls.parse().secured()
    assert await contexts.context(wanted) is await contexts.context(tls.parse("verify-full")) is not None
    in_another_thread = await asyncio.to_thread(lambda: asyncio.run(contexts.context(wanted)))
    assert in_another_thread is await contexts.context(wanted)


async def test_one_that_exists_is_returned_without_giving_way_to_the_loop(builder: Builder, wanted: Tls) -> None:
    builder.go.set()
    context = await contexts.context(wanted)
    with pytest.raises(StopIteration) as returned:
        contexts.context(wanted).send(None)
    assert returned.value.value is context


async def test_each_setting_has_a_context_of_its_own(builder: Builder, wanted: Tls) -> None:
    builder.go.set()
    settings = [wanted, wanted._replace(mode="verify-ca"), wanted._replace(alpn="one"), wanted._replace(alpn="two")]
    assert len({id(await contexts.context(setting)) for setting in settings}) == len(settings)


async def test_the_oldest_is_dropped(builder: Builder, wanted: Tls) -> None:
    builder.go.set()
    for number in range(contexts.MAX_CONTEXTS + 1):
        await contexts.context(wanted._replace(alpn=str(number)))
    first, last = wanted._replace(alpn="0"), wanted._replace(alpn=str(contexts.MAX_CONTEXTS))
    await contexts.context(last)
    assert set(builder.builds.values()) == {1}
    await contexts.context(first)
    assert builder.builds.most_common(1) == [(wanted._replace(alpn="0"), 2)]


async def test_a_cancelled_caller_changes_nothing_for_the_others(builder: Builder, wanted: Tls) -> None:
    first, second = (asyncio.create_task(contexts.context(wanted)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    builder.go.set()
    assert await second is await contexts.context(wanted)
    assert list(builder.builds.values()) == [1]


async def test_a_failed_build_fails_each_caller_with_an_error_of_its_own_and_is_not_kept(
    builder: Builder, wanted: Tls
) -> None:
    builder.error = PermissionError(13, "Permission denied")
    tasks = [asyncio.create_task(contexts.context(wanted)) for _ in range(2)]
    await asyncio.sleep(0)
    builder.go.set()
    one, two = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(one, ConfigurationError)
    assert isinstance(two, ConfigurationError)
    assert one is not two
    assert one.__cause__ is builder.error
    builder.error = None
    assert isinstance(await contexts.context(wanted), ssl.SSLContext)


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
        await contexts.context(tls.parse(sslrootcert=path))
    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)


async def test_a_directory_is_no_root_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^sslrootcert: .* cannot be read"):
        await contexts.context(tls.parse(sslrootcert=tmp_path))


async def test_a_root_certificate_that_appears_later_is_found(tmp_path: Path, root_cert: Path) -> None:
    path = tmp_path / "root.pem"
    with pytest.raises(ConfigurationError):
        await contexts.context(tls.parse(sslrootcert=path))
    path.symlink_to(root_cert)
    assert await contexts.context(tls.parse(sslrootcert=path)) is not None


async def test_without_a_thread_only_the_caller_who_needs_the_context_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    settings = Tls("verify-full", root_cert="never-read.pem")
    contexts.prepare(settings)
    with pytest.raises(RuntimeError, match="new thread"):
        await contexts.context(settings)
