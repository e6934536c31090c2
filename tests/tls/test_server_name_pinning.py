import asyncio
import gc
import socket
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from aws_iam_async import tls
from aws_iam_async.tls import contexts
from aws_iam_async.tls.pinning import pin

NAME = "shop.c9akciq32.us-east-1.rds.amazonaws.com"
OTHER = "other.c9akciq32.us-east-1.rds.amazonaws.com"


@pytest.fixture
def own(root_cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=root_cert)


def test_the_pinned_name_is_verified_and_sent_in_place_of_the_dialled_one(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path
) -> None:
    async def main() -> str:
        wanted = tls.parse(sslrootcert=root_cert).secured(NAME)
        return str(await hello(server, await contexts.context(wanted)))

    with serve(NAME) as server:
        assert run(main()) == "hello"
        assert server.names == [NAME]


@pytest.mark.parametrize("names", [["dialled.example"], [OTHER], ["*.example"], ["127.0.0.1"]])
def test_a_certificate_for_another_name_is_refused_even_for_the_dialled_one(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path, names: list[str]
) -> None:
    async def main() -> None:
        wanted = tls.parse(sslrootcert=root_cert).secured(NAME)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await hello(server, await contexts.context(wanted))

    with serve(*names) as server:
        run(main())


def test_an_ip_address_can_be_pinned(serve: Any, hello: Any, run: Callable[..., Any], own: ssl.SSLContext) -> None:
    async def main(name: str) -> str:
        return str(await hello(server, await contexts.context(tls.parse(own).secured(name))))

    with serve("127.0.0.1", "::1") as server:
        assert run(main("127.0.0.1")) == run(main("::1")) == "hello"
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            run(main("127.0.0.2"))


def test_one_context_of_the_callers_serves_many_names_at_once_and_stays_as_it_was(
    serve: Any, hello: Any, run: Callable[..., Any], own: ssl.SSLContext
) -> None:
    before = (dict(vars(own)), own.verify_mode, own.check_hostname, own.options, own.get_ca_certs(binary_form=True))

    async def main() -> list[str | BaseException]:
        right = [hello(server, await contexts.context(tls.parse(own).secured(name))) for name, server in servers * 10]
        crossed = [hello(servers[0][1], await contexts.context(tls.parse(own).secured(OTHER))) for _ in range(10)]
        plain = [hello(servers[2][1], own)]
        results: list[str | BaseException] = await asyncio.gather(*right, *crossed, *plain, return_exceptions=True)
        return results

    with serve(NAME) as one, serve(OTHER) as two, serve("dialled.example") as three:
        servers = [(NAME, one), (OTHER, two), ("dialled.example", three)]
        results = run(main())
    assert results[:30] == ["hello"] * 30
    assert [type(result) for result in results[30:40]] == [ssl.SSLCertVerificationError] * 10
    assert results[40:] == ["hello"]
    assert before == (
        dict(vars(own)),
        own.verify_mode,
        own.check_hostname,
        own.options,
        own.get_ca_certs(binary_form=True),
    )


def test_what_the_caller_overrode_stays_in_force(
    serve: Any, hello: Any, run: Callable[..., Any], root_cert: Path
) -> None:
    class Counting(ssl.SSLContext):
        handshakes = 0

        def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
            Counting.handshakes += 1
            return super().wrap_bio(*args, **kwargs)

    own = Counting(ssl.PROTOCOL_TLS_CLIENT)
    own.load_verify_locations(root_cert)

    async def main() -> str:
        return str(await hello(server, await contexts.context(tls.parse(own).secured(NAME))))

    with serve(NAME) as server:
        assert run(main()) == "hello"
    assert Counting.handshakes == 1


def test_a_blocking_socket_is_pinned_as_well(serve: Any, own: ssl.SSLContext) -> None:
    with (
        serve(NAME) as server,
        socket.create_connection(("127.0.0.1", server.port), 10) as connection,
        pin(own, NAME).wrap_socket(connection, server_hostname="dialled.example") as secured,
    ):
        assert secured.recv(6) == b"hello\n"


def test_what_is_read_from_a_pinned_context_is_the_callers() -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own.check_hostname = False
    own.verify_mode = ssl.CERT_NONE
    own.maximum_version = ssl.TLSVersion.TLSv1_2
    trustme.CA().configure_trust(own)
    pinned = pin(own, NAME)
    assert isinstance(pinned, ssl.SSLContext)
    for name in ("verify_mode", "check_hostname", "maximum_version", "minimum_version", "options", "verify_flags"):
        assert getattr(pinned, name) == getattr(own, name)
    assert pinned.get_ca_certs() == own.get_ca_certs() != []
    assert NAME in repr(pinned)


def test_a_pinned_context_refuses_settings_that_others_would_share() -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(AttributeError, match="verify_mode"):
        pin(own, NAME).verify_mode = ssl.CERT_NONE
    assert own.verify_mode is ssl.CERT_REQUIRED


def test_the_callers_context_lives_as_long_as_it_is_used() -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pinned = pin(own, NAME)
    context_is_alive = weakref.ref(own)
    del own
    gc.collect()
    assert context_is_alive() is not None
    del pinned
    gc.collect()
    assert context_is_alive() is None
