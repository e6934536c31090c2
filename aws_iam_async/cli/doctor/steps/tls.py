"""TLS: whether the server offers it, and proves that it is the endpoint that is signed for."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aws_iam_async import trust
from aws_iam_async.abort import abort
from aws_iam_async.cli.doctor import certificate
from aws_iam_async.cli.doctor.advice import tls as advice
from aws_iam_async.cli.doctor.findings import Findings
from aws_iam_async.cli.doctor.outcome import Passed, StepFailedError
from aws_iam_async.cli.doctor.wire import mysql, postgresql
from aws_iam_async.cli.doctor.wire.answer import UnexpectedAnswerError

__all__ = ["run"]

ASK_FOR_TLS = {"asyncpg": postgresql.ask_for_tls, "aiomysql": mysql.ask_for_tls}


async def run(found: Findings) -> Passed:
    """Come as far as ``connect()`` does before it sends the token, and look at the server's certificates."""
    secured = found.request.tls.secured(found.signed.server_name)
    direct = found.driver == "asyncpg" and postgresql.tls_first(found.request)
    context = await trust.context(secured)
    name = secured.server_name or str(found.request.host)
    assert context is not None  # noqa: S101 - Tls.secured() leaves no mode without one
    try:
        async with _handshake(found, context, direct=direct) as connection:
            verified = context.verify_mode is ssl.CERT_REQUIRED
            chain = certificate.chain(connection, verified=verified)
            protocol = connection.version()
    except ssl.SSLCertVerificationError as error:
        chain = await _unverified(found, direct=direct)
        presented = f"; the server presents {chain[0]}" if chain else ""
        reasons = advice.refused_certificate(error.verify_code, name=name, chain=chain, trusted=secured.root_cert)
        raise StepFailedError(f"{error.verify_message}{presented}", *reasons) from error
    how = f"verified as {name}" if context.check_hostname else "NOT verified" if not verified else "name NOT verified"
    path = " < ".join(one.subject for one in chain)
    soon = advice.expiring(chain, datetime.now(UTC))
    return Passed(f"{protocol}, {how}, until {chain[0].not_after:%Y-%m-%d}: {path}", (soon,) if soon else ())


@contextlib.asynccontextmanager
async def _handshake(found: Findings, context: ssl.SSLContext, *, direct: bool) -> AsyncIterator[ssl.SSLObject]:
    """Connect and do the handshake.

    Raises:
        ssl.SSLCertVerificationError: The certificate does not hold.
        StepFailedError: It does not come to that.
    """
    host, port, seconds = found.request.host, found.request.port, found.target.timeout
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            if not direct:
                await ASK_FOR_TLS[found.driver](reader, writer)
            await writer.start_tls(context, server_hostname=host)
        yield writer.get_extra_info("ssl_object")
    except ssl.SSLCertVerificationError:
        raise
    except UnexpectedAnswerError as error:
        raise StepFailedError(str(error), advice.unexpected_answer(error, host=str(host), port=port)) from error
    except TimeoutError as error:
        detail = f"{host}:{port} stays silent for {seconds:g} s where its protocol goes on"
        raise StepFailedError(detail, advice.silent(found.driver)) from error
    except ssl.SSLError as error:
        raise StepFailedError(f"{error.reason or error}", advice.handshake_failed()) from error
    except OSError as error:
        detail = f"{host}:{port} ends the connection during the handshake ({type(error).__name__})"
        raise StepFailedError(detail, advice.handshake_cut()) from error
    finally:
        if writer is not None:
            abort(writer.transport)


async def _unverified(found: Findings, *, direct: bool) -> tuple[certificate.Certificate, ...]:
    """Return what the server presents, believed or not; nothing is sent to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if direct:
        context.set_alpn_protocols([postgresql.ALPN])
    try:
        async with _handshake(found, context, direct=direct) as connection:
            return certificate.chain(connection, verified=False)
    except StepFailedError:
        return ()
