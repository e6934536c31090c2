"""The TLS contexts that this package makes, each built once in a process, off the event loops, and shared by all.

Building a verifying context takes 25-60 ms, because OpenSSL 3 parses every root certificate.
"""

import functools
import os
import threading
from collections.abc import Callable
from ssl import CERT_NONE, CERT_REQUIRED, PROTOCOL_TLS_CLIENT, SSLContext, TLSVersion
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from aws_iam_async import offload
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.fork import Undivided

if TYPE_CHECKING:
    from concurrent.futures import Future

Verification: TypeAlias = Literal["require", "verify-ca", "verify-full"]

RDS_CA_BUNDLE = os.path.join(os.path.dirname(__file__), "rds-ca-bundle.pem")  # noqa: PTH118, PTH120 - pathlib would be imported for this alone


_building = Undivided()


class Setting(NamedTuple):
    """What makes one context differ from another.

    Attributes:
        verification: libpq's word for what is verified: nothing, the chain, the chain and the host name.
        root_cert: A PEM file with the only certificates to trust; ``None`` trusts the RDS authorities shipped with this
            package (RDS and Aurora) and the system's roots (RDS Proxy presents public certificates).
        alpn: The application protocol to negotiate, if any.
    """

    verification: Verification
    root_cert: str | None = None
    alpn: str | None = None


def build(setting: Setting) -> SSLContext:
    """Build a client context. This takes tens of milliseconds.

    Raises:
        OSError: A file of certificates cannot be read, or holds none (``ssl.SSLError``).
    """
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_2
    context.check_hostname = setting.verification == "verify-full"
    context.verify_mode = CERT_NONE if setting.verification == "require" else CERT_REQUIRED
    if setting.alpn is not None:
        context.set_alpn_protocols([setting.alpn])
    if setting.verification == "require":
        return context
    # From files, not from memory: CPython lets go of the interpreter lock only while OpenSSL reads a file.
    if setting.root_cert is not None:
        context.load_verify_locations(cafile=setting.root_cert)
    else:
        context.load_verify_locations(cafile=RDS_CA_BUNDLE)
        context.load_default_certs()
    return context


class ContextCache:
    """Contexts by setting, the oldest dropped first.

    A file of certificates is read once: to replace one, restart the process or pass contexts of your own.

    Args:
        build: Builds a context; runs in a thread of its own, once for all who wait for the same setting.
        maxsize: How many contexts to keep. Connections keep theirs regardless.
    """

    def __init__(self, build: Callable[[Setting], SSLContext] = build, *, maxsize: int = 64) -> None:
        self._build = build
        self._maxsize = maxsize
        self._built: dict[Setting, SSLContext] = {}
        self.after_fork()

    def after_fork(self) -> None:
        """Forget what was under way: in a forked child no thread is left to release the lock or finish a context."""
        self._lock = threading.Lock()
        self._building: dict[Setting, Future[SSLContext]] = {}

    def ready(self, setting: Setting) -> SSLContext | None:
        """Return the context for a setting if there is one already."""
        return self._built.get(setting)

    def prepare(self, setting: Setting) -> "SSLContext | Future[SSLContext]":
        """Return the context for a setting, or have it built and return what will bring it."""
        with self._lock:
            if (context := self._built.get(setting)) is not None:
                return context
            building = self._building.get(setting)
            if building is None:
                job = functools.partial(self._build_and_keep, setting)
                building = self._building[setting] = offload.start(job, name="TLS context")
            return building

    async def get(self, setting: Setting) -> SSLContext:
        """Return the context for a setting; does not give way to the loop if it is there already.

        Raises:
            ConfigurationError: A file of certificates cannot be read. Not remembered: the next call tries again.
        """
        made = self.prepare(setting)
        if isinstance(made, SSLContext):
            return made
        try:
            return await offload.wait(made)
        except (OSError, ValueError) as error:
            raise ConfigurationError(_complaint(setting, error)) from error

    def _build_and_keep(self, setting: Setting) -> SSLContext:
        context = None
        try:
            with _building.work():
                context = self._build(setting)
            return context
        finally:
            with self._lock:
                self._building.pop(setting, None)
                if context is not None:
                    self._built[setting] = context
                    if len(self._built) > self._maxsize:
                        del self._built[next(iter(self._built))]


def _complaint(setting: Setting, error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    if setting.root_cert is None:
        return f"the CA bundle of aws_iam_async cannot be read ({reason}); reinstall the package"
    return f"sslrootcert: {setting.root_cert!r} cannot be read as a PEM file of CA certificates: {reason}"


shared = ContextCache()
"""The one of the process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=shared.after_fork)
