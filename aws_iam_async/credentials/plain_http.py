"""Ask a container's credentials endpoint in plain HTTP without the TLS context that aiobotocore makes for that.

aiobotocore 3.10 reads all certificate authorities for each HTTP session, before it looks at the URL: 30 ms, in which
nothing is asked yet. botocore does so for ``https`` alone. aiobotocore 2.25 puts a fetcher of its own in place of any
other: there all is as it was.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiobotocore.credentials import AioCredentialResolver
    from aiobotocore.httpsession import AIOHTTPSession

_RELATIVE, _FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"


def use(chain: "AioCredentialResolver", environ: Mapping[str, str]) -> None:
    """Have the chain ask a container's endpoint in that way, unless its URL is another than ``http``.

    Args:
        chain: The SDK's default chain. The place of the container's provider in it stays as it is.
        environ: The environment, ``os.environ``.
    """
    if not _is_plain(environ):
        return
    from aiobotocore.credentials import AioContainerProvider  # noqa: PLC0415 - loaded by whoever made the chain
    from aiobotocore.utils import AioContainerMetadataFetcher  # noqa: PLC0415 - the same

    fetcher = AioContainerMetadataFetcher(session=_Session(AioContainerMetadataFetcher.TIMEOUT_SECONDS))
    name = AioContainerProvider.METHOD
    chain.insert_after(name, AioContainerProvider(fetcher=fetcher))
    chain.remove(name)  # the first of that name


def _is_plain(environ: Mapping[str, str]) -> bool:
    # A relative one goes to a fixed address in plain HTTP, whatever the other says.
    return _RELATIVE in environ or environ.get(_FULL, "").startswith("http://")


class _Session:
    """What the fetcher asks of its session (aiobotocore 3.10)."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    @contextlib.asynccontextmanager
    async def acquire(self) -> "AsyncIterator[_Unverified]":
        from aiobotocore.httpsession import AIOHTTPSession  # noqa: PLC0415 - loaded with the fetcher

        # There is nothing to verify in plain HTTP.
        async with AIOHTTPSession(timeout=self._timeout, verify=False) as session:
            yield _Unverified(session)


class _Unverified:
    """Sends requests, and believes no answer that came over TLS after all: it follows redirects."""

    def __init__(self, session: "AIOHTTPSession") -> None:
        self._session = session

    async def send(self, request: Any) -> Any:
        response = await self._session.send(request)
        if not response.url.startswith("http://"):
            from botocore.exceptions import MetadataRetrievalError  # noqa: PLC0415 - loaded with the fetcher

            raise MetadataRetrievalError(
                error_msg=f"the endpoint redirects to https, which is not verified on that way; set {_FULL} to that URL"
            )
        return response
