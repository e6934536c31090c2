"""What TLS a connection shall have, read from the user's options.

The words are libpq's (https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION), for every driver.
No environment variable is read here: ``PGSSLMODE`` and its like cannot weaken what an option or a plugin asks for.
"""

import os
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Literal, NamedTuple, TypeAlias, get_args

from aws_iam_async.errors import ConfigurationError

TlsMode: TypeAlias = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

_WORDS: tuple[TlsMode, ...] = get_args(TlsMode)


class Tls(NamedTuple):
    """What TLS a connection shall have.

    Attributes:
        mode: libpq's word. ``None`` with no ``context`` says that the user said nothing: the driver's default applies.
        context: The user's own context: trust and verification are his. ``mode`` and ``root_cert`` are ``None`` then.
        root_cert: A PEM file with the only certificates to trust; ``None`` trusts RDS's and the system's.
        server_name: The name that the server's certificate has to be for, where it is not the name dialled.
        required: The request carries a secret that must never be sent without TLS.
        alpn: The application protocol to negotiate, if any. The user's own context keeps its own.
    """

    mode: TlsMode | None = None
    context: SSLContext | None = None
    root_cert: str | None = None
    server_name: str | None = None
    required: bool = False
    alpn: str | None = None

    def secured(self, server_name: str | None = None) -> "Tls":
        """Return what a plugin puts on a request whose secret is for TLS only. Verifies in full unless told otherwise.

        Args:
            server_name: The name to verify instead of the one dialled; ``None`` leaves it as it is.

        Raises:
            ConfigurationError: The user asked for a connection that may be in plaintext.
        """
        if server_name is None:
            server_name = self.server_name
        if self.required and server_name == self.server_name:
            return self
        mode = self.mode
        if mode in {"disable", "allow", "prefer"}:
            raise ConfigurationError(
                f"ssl/sslmode {mode!r}{' (ssl=False)' if mode == 'disable' else ''} may send the secret in plaintext; "
                "leave it out for 'verify-full', or pass 'verify-ca', 'require' or an SSLContext"
            )
        if mode is None and self.context is None:
            mode = "verify-full"
        return self._replace(mode=mode, server_name=server_name, required=True)


def read(ssl: object = None, sslmode: object = None, sslrootcert: object = None) -> Tls:
    """Read the user's TLS options.

    Args:
        ssl: An ``ssl.SSLContext``, one of libpq's words, ``True`` (``verify-full``) or ``False`` (``disable``).
        sslmode: One of libpq's words; the same as ``ssl``, as it is spelt in a DSN.
        sslrootcert: The path of a PEM file with the only certificates to trust. As in libpq, it turns ``require`` into
            ``verify-ca``; alone it means ``verify-full``.

    Raises:
        ConfigurationError: A value is unknown, or two of them contradict each other.
    """
    if isinstance(ssl, SSLContext):
        for option, value in (("sslmode", sslmode), ("sslrootcert", sslrootcert)):
            if value is not None:
                raise ConfigurationError(
                    f"{option} has no effect beside ssl=SSLContext, which has its own trust and verification; drop one"
                )
        if ssl.protocol is PROTOCOL_TLS_SERVER:
            raise ConfigurationError(
                "ssl: this SSLContext is for servers; make one with ssl.create_default_context(), without a purpose"
            )
        return Tls(context=ssl)
    if isinstance(ssl, bool):
        ssl = "verify-full" if ssl else "disable"
    mode, same = _word(ssl, "ssl"), _word(sslmode, "sslmode")
    if mode is not None and same is not None and mode != same:
        raise ConfigurationError(f"ssl says {mode!r} and sslmode says {same!r}; pass one of them")
    mode = mode or same
    root_cert = _path(sslrootcert, "sslrootcert")
    if root_cert is None:
        return Tls(mode)
    if mode in {"disable", "allow", "prefer"}:
        raise ConfigurationError(f"sslrootcert verifies nothing with sslmode {mode!r}; pass 'verify-full' or drop it")
    if mode == "require":
        mode = "verify-ca"
    return Tls(mode or "verify-full", root_cert=root_cert)


def _word(value: object, option: str) -> TlsMode | None:
    if value is None:
        return None
    known = "one of " + ", ".join(map(repr, _WORDS))
    if not isinstance(value, str):
        alternatives = ", True, False or an ssl.SSLContext" if option == "ssl" else ""
        raise ConfigurationError(f"{option} must be {known}{alternatives}, not {type(value).__name__}")
    for word in _WORDS:
        if word == value:
            return word
    meant = value.lower().replace("_", "-")
    advice = f"did you mean {meant!r}?" if meant in _WORDS else f"it must be {known}"
    raise ConfigurationError(f"{option}: {value[:32]!r} is unknown; {advice}")


def _path(value: object, option: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | bytes | os.PathLike):
        raise ConfigurationError(f"{option} must be the path of a PEM file, not {type(value).__name__}")
    path = os.fsdecode(value)
    if not path or "\0" in path:
        raise ConfigurationError(f"{option} must be the path of a PEM file; this is {'no path' if path else 'empty'}")
    return path
