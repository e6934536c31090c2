"""The exceptions of this package, one tree.

    AwsIamError
    ├── ConfigurationError            an option, a host, a DSN or a combination of them is wrong (also a ValueError)
    │   ├── RegionError               the region to sign for is missing or contradictory
    │   ├── PluginNotFoundError       a plugin code that nobody registered
    │   └── DriverNotFoundError       a driver that is not installed (also an ImportError)
    ├── CredentialsError              no AWS credentials found, or their source fails
    ├── TokenError                    anything else that stops a token from being made
    └── InsecureTransportError        a secret would have left this process without the TLS that it needs

What the database says stays the driver's own exception: ``asyncpg.PostgresError``, ``aiomysql.Error``.
None of these is an ``OSError``: asyncpg 0.32 reads an ``OSError`` as "this host is down, try the next one".
"""

__all__ = [
    "AwsIamError",
    "ConfigurationError",
    "CredentialsError",
    "DriverNotFoundError",
    "InsecureTransportError",
    "PluginNotFoundError",
    "RegionError",
    "TokenError",
]


class AwsIamError(Exception):
    """Base of everything that this package raises on its own account."""


class ConfigurationError(AwsIamError, ValueError):
    """An option, a host or a DSN is wrong.

    Raised before any network traffic; the message names the option and the fix.
    """


class RegionError(ConfigurationError):
    """The AWS region to sign for cannot be told from the host; pass ``iam_region``."""


class PluginNotFoundError(ConfigurationError):
    """A plugin code that is neither built in, nor registered, nor an entry point; the message lists the known ones."""


class DriverNotFoundError(ConfigurationError, ImportError):
    """The driver is not installed; the message says which extra to install."""


class CredentialsError(AwsIamError):
    """No AWS credentials were found, or their source failed. The cause, if any, is chained."""


class TokenError(AwsIamError):
    """A token could not be made for another reason than configuration or credentials."""


class InsecureTransportError(AwsIamError):
    """The connection is not protected as the secret demands, so the secret was not sent."""
