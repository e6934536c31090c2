"""A PEM file of all trusted authorities, for drivers that read a file and take no ``SSLContext``: those of libpq."""

import contextlib
import hashlib
import os
import ssl
import stat
import tempfile
from pathlib import Path

from aws_iam_async import threads
from aws_iam_async.errors import ConfigurationError
from aws_iam_async.tls import RDS_CA_BUNDLE, Tls

# With descriptors of the file and of its sources, and what was known of them.
_made: list[tuple[str, dict[int, tuple[int, ...]]]] = []


async def root_file(tls: Tls) -> str:
    """Return the PEM file to verify a server with: the caller's, else one of the RDS authorities and the system's.

    The file is in the user's cache directory, under a name made from its content, so that processes can share it. It is
    made once in a process, and again if a source has changed or something has cleared the cache.
    """
    if tls.root_cert is not None:
        return tls.root_cert
    if made := _made_before():
        return made
    try:
        return await threads.run(_make, name="root certificates", share_as=_make)
    except OSError as error:
        raise ConfigurationError(
            f"the file of all trusted authorities cannot be made ({error}); pass sslrootcert= with a PEM file"
        ) from error


def _made_before() -> str | None:
    """Return the file, unless it or one of its sources was changed, replaced or deleted."""
    for file, states in _made:
        with contextlib.suppress(OSError):  # a daemon has closed all descriptors, and may have opened others
            if all(_state(descriptor) == state for descriptor, state in states.items()):
                return file
    return None


def _state(descriptor: int) -> tuple[int, ...]:
    # Not by a path: that could wait for a disk. What is replaced or deleted has no links any more.
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino, found.st_nlink, found.st_size, found.st_mtime_ns


def _make() -> str:
    system = ssl.get_default_verify_paths()
    sources = [RDS_CA_BUNDLE, *([store] if (store := system.cafile or system.capath) else [])]
    descriptors = [os.open(source, os.O_RDONLY) for source in sources]
    states = {descriptor: _state(descriptor) for descriptor in descriptors}  # before they are read
    content = b"\n".join(path.read_bytes() for path in (Path(RDS_CA_BUNDLE), *system_roots()))
    file = _directory() / f"roots-{hashlib.sha256(content).hexdigest()}.pem"
    if not file.exists() or file.read_bytes() != content:
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
            written.write(content)
        Path(written.name).replace(file)  # in one step: another process may read it now
    descriptor = os.open(file, os.O_RDONLY)
    _made[:] = [(str(file), states | {descriptor: _state(descriptor)})]
    return str(file)


def system_roots() -> list[Path]:
    """Return the files of the system's certificate authorities, as OpenSSL finds them (``SSL_CERT_FILE`` included)."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return [Path(paths.cafile)]
    folder = Path(paths.capath) if paths.capath is not None else None
    return sorted({path.resolve() for path in folder.iterdir() if path.is_file()}) if folder is not None else []


def _directory() -> Path:
    """Return a directory that only this user can write to."""
    with contextlib.suppress(OSError, RuntimeError):  # there is no home, or it is read-only, as in AWS Lambda
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        cache = cache if cache.is_absolute() else Path.home() / ".cache"
        if _is_private(cache / "aws_iam_async"):
            return cache / "aws_iam_async"
    with contextlib.suppress(OSError):
        temporary = Path(tempfile.gettempdir(), f"aws_iam_async-{os.geteuid()}")
        if _is_private(temporary):
            return temporary
    return Path(tempfile.mkdtemp(prefix="aws_iam_async-"))


def _is_private(folder: Path) -> bool:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()  # another user may have placed a link there
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return is_own and os.access(folder, os.W_OK)
