"""TLS settings, parsed from options.

The words are libpq's (https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION), for every driver.
No environment variable is read: ``PGSSLMODE`` and similar variables cannot weaken what an option or a plugin requires.
"""

import os
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Literal, NamedTuple, TypeAlias, get_args

from aws_iam_async.errors import ConfigurationError
from aws_iam_async.names import shown

RDS_CA_BUNDLE = f"{__path__[0]}/rds-ca-bundle.pem"
_REGIONS_OF_BUNDLE = (
    "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1",
    "ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1",
    "eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1",
    "me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2",
)
RDS_CA_REGIONS = frozenset(" ".join(_REGIONS_OF_BUNDLE).split())

# CPython's own class. truststore puts another in its place, which trusts the system's roots whatever sslrootcert says.
OpenSSLContext: type[SSLContext] = next(base for base in SSLContext.__mro__ if base.__module__ == "ssl")

TlsMode: TypeAlias = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

_WORDS: tuple[TlsMode, ...] = get_args(TlsMode)
_PLAINTEXT_MODES = frozenset({"disable", "allow", "prefer"})  # they may connect without TLS
_BOOLEANS: dict[str, TlsMode] = {"true": "verify-full", "false": "disable"}
_MYSQL_WORDS = {"verify-identity": "verify-full", "required": "require", "preferred": "prefer", "disabled": "disable"}
SYSTEM = "system"  # as sslrootcert: the system's authorities, without those of RDS


class Tls(NamedTuple):
    """The TLS settings of one connection. A ``context`` of the user decides on trust and verification by itself."""

    mode: TlsMode | None = None  # libpq's word; None without a context: the driver's default applies
    context: SSLContext | None = None
    # a PEM file with the only authorities to trust, or SYSTEM; None: those of RDS and of the system
    root_cert: str | None = None
    server_name: str | None = None  # the name to verify the server as, if it is not the host that is dialled
    required: bool = False  # the request carries a secret that must never be sent without TLS
    alpn: str | None = None  # the application protocol to negotiate; the user's own context keeps its own

    def secured(self, server_name: str | None = None) -> "Tls":
        """Return the settings for a secret that may only be sent over TLS. The default is ``verify-full``.

        Raises:
            ConfigurationError: The options allow a connection in plaintext.
        """
        if (mode := self.mode) in _PLAINTEXT_MODES:
            raise ConfigurationError(
                f"ssl/sslmode {mode!r}{' (ssl=False)' if mode == 'disable' else ''} may send the secret in plaintext; "
                "omit it for 'verify-full', or pass 'verify-ca' or 'require'"
            )
        if mode is None and self.context is None:
            mode = "verify-full"
        return self._replace(mode=mode, server_name=server_name or self.server_name, required=True)


def parse(ssl: object = None, sslmode: object = None, sslrootcert: object = None) -> Tls:
    """Parse the user's TLS options. ``sslmode`` is the name of ``ssl`` in a DSN.

    As in libpq, ``sslrootcert`` turns ``require`` into ``verify-ca``. Alone it means ``verify-full``. With
    ``sslrootcert=system`` only the system's authorities are trusted.
    """
    if isinstance(ssl, OpenSSLContext):
        if sslmode is not None or sslrootcert is not None:
            raise ConfigurationError(
                "ssl=SSLContext decides on trust and verification; omit it, or omit sslmode and sslrootcert"
            )
        if ssl.protocol is PROTOCOL_TLS_SERVER:
            raise ConfigurationError(
                "ssl: this SSLContext is for servers; create one with ssl.create_default_context(), without a purpose"
            )
        return Tls(context=ssl)
    mode, same = _word(ssl, "ssl"), _word(sslmode, "sslmode")
    if mode is not None and same is not None and mode != same:
        raise ConfigurationError(f"ssl is {mode!r} and sslmode is {same!r}; pass one of them")
    mode = mode or same
    if sslrootcert is None:
        return Tls(mode)
    root_cert = os.fsdecode(sslrootcert) if isinstance(sslrootcert, str | bytes | os.PathLike) else ""
    if not root_cert or "://" in root_cert or "\0" in root_cert:
        raise ConfigurationError("sslrootcert must be the non-empty path of a local PEM file")
    if mode in _PLAINTEXT_MODES:
        raise ConfigurationError(
            f"sslrootcert verifies nothing with sslmode {mode!r}: omit sslmode, or pass 'verify-full'"
        )
    if root_cert == SYSTEM and mode not in {None, "verify-full"}:
        # As in libpq: anybody can get a certificate of a public authority.
        raise ConfigurationError(f"sslrootcert='system' needs sslmode 'verify-full', not {mode!r}; omit sslmode")
    return Tls("verify-ca" if mode == "require" else mode or "verify-full", root_cert=root_cert)


def _word(value: object, option: str) -> TlsMode | None:
    if value is None:
        return None
    if option == "ssl" and isinstance(value, bool | str):
        value = _BOOLEANS.get(str(value).lower(), value)
    for mode in _WORDS:
        if mode == value:
            return mode
    word = value if isinstance(value, str) else type(value).__name__
    plain = word.lower().replace("_", "-")
    meant = {**_BOOLEANS, **_MYSQL_WORDS}.get(plain, plain)
    known = ", ".join(map(repr, _WORDS))
    if option == "ssl":
        known += ", True, False, or an SSLContext if the driver takes one; pass the path of a file as sslrootcert"
    advice = f"did you mean {meant!r}?" if meant in _WORDS else f"it must be one of {known}"
    raise ConfigurationError(f"{option}:{shown(word) or ' this value'} is unknown; {advice}")
