"""Credentials: read once for all callers, renewed ahead of their expiry, used until they expire."""

import contextlib
import functools
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from aws_iam_async import refresh_ahead
from aws_iam_async.credentials import callers, roles, sdk
from aws_iam_async.credentials.credentials import Credentials, Snapshot, from_environment
from aws_iam_async.credentials.failures import EXPIRED, REFUSED_KEYS
from aws_iam_async.credentials.source import DEFAULT_CHAIN, AssumedRole, CredentialsSource, SdkChain
from aws_iam_async.errors import CredentialsError
from aws_iam_async.refresh_ahead import Reading, ReadingCache
from aws_iam_async.statistics import Counters, Hooks

_log = logging.getLogger(__name__)


class CredentialsCache(ReadingCache[CredentialsSource, Snapshot]):
    error = CredentialsError

    def __init__(self, counters: Counters, hooks: Hooks, **options: Any) -> None:
        super().__init__(self._read_credentials, **options)
        self.counters = counters
        self.hooks = hooks

    async def read_in_time(self, key: CredentialsSource) -> Reading[Snapshot]:
        try:
            with self.hooks.read(key):
                return await super().read_in_time(key)
        except Exception:
            self.counters.credentials_failures += 1
            raise

    async def _read_credentials(self, source: CredentialsSource) -> Reading[Snapshot]:
        snapshot = await self._read_source(source)
        present, now = self.latest(source), self.clock()
        if present is not None and present.expires is not None and now < present.expires:
            snapshot = with_first_expiry(snapshot, present.value)
        if snapshot.expires is not None and now >= snapshot.expires:
            found = f"{snapshot.method}, {snapshot.credentials.access_key}"
            expired = f"({found}) that expired at {snapshot.credentials.expires_at}"
            raise EXPIRED.error(f"{source!r} returned credentials {expired}")
        _log.debug("%r: %s by %s", source, snapshot.credentials.access_key, snapshot.method)
        return Reading(snapshot, snapshot.expires)

    async def _read_source(self, source: CredentialsSource) -> Snapshot:
        if isinstance(source, AssumedRole):
            async with self.signing_credentials(source.base) as credentials:
                return await self._read_in_thread(source, functools.partial(roles.assume_role, source, credentials))
        if isinstance(source, SdkChain):
            if source == DEFAULT_CHAIN and (snapshot := from_environment(os.environ)) is not None:
                self.counters.credentials_loads += 1
                return snapshot
            return await self._read_in_thread(source, functools.partial(sdk.read_chain, source))
        self.counters.credentials_loads += 1
        return await callers.read_callers_source(source)

    @contextlib.asynccontextmanager
    async def signing_credentials(self, source: CredentialsSource) -> AsyncIterator[Credentials]:
        """Provide credentials for a call to AWS. If it refuses them, they are read again for the next call."""
        reading = await self.get(source)
        try:
            yield reading.value.credentials
        except CredentialsError as error:
            if error.cause in {remedy.cause for remedy in REFUSED_KEYS.values()}:
                self.reread(source)
            raise

    async def _read_in_thread(self, source: CredentialsSource, read: Callable[[float], Snapshot]) -> Snapshot:
        def counted_read() -> Snapshot:
            self.counters.credentials_loads += 1
            # It ends before its callers give up, so that the next call starts another.
            return read(refresh_ahead.READ_TIMEOUT - 1)

        return await self.run_in_thread(source, counted_read)

    def renewal_failed(self, key: CredentialsSource, error: Exception, failures: int) -> None:
        self.counters.refresh_failures += 1
        latest = self.latest(key)
        _log.log(
            logging.WARNING if failures == 1 else logging.DEBUG,  # once for each outage
            "%r could not be read again; its last credentials are used until %s: %s",
            key,
            latest and latest.value.credentials.expires_at,
            error,
        )


def with_first_expiry(snapshot: Snapshot, present: Snapshot) -> Snapshot:
    """Return the present credentials instead of the same key of an EC2 instance with a later expiry.

    A key's expiry never moves. But near its end botocore 1.43 reports a later one
    (``InstanceMetadataFetcher._evaluate_expiration``), for the case that the service cannot make new ones.
    """
    if snapshot.method != "iam-role" or snapshot.expires is None or present.expires is None:
        return snapshot
    same = snapshot.credentials.access_key == present.credentials.access_key
    return present if same and present.expires < snapshot.expires else snapshot
