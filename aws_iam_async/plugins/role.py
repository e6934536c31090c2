"""The ``role`` plugin: connect to the writer, or to a reader, and follow it when the roles change."""

from typing import Any, get_args

from aws_iam_async.errors import ConfigurationError, WrongServerError
from aws_iam_async.names import PLUGIN_OPTIONS
from aws_iam_async.plugins.protocol import ConnectNext
from aws_iam_async.request import ConnectRequest, Role
from aws_iam_async.tokens.service import TokenService

# By role: values of target_session_attrs that accept other servers, or try them first.
OPPOSITES = {"writer": ("standby", "read-only", "prefer-standby"), "reader": ("primary", "read-write")}


class RolePlugin:
    option_names = PLUGIN_OPTIONS["role"]

    def __init__(self, _tokens: TokenService) -> None: ...

    async def check(self, request: ConnectRequest) -> None:
        role_for(request)

    async def connect(self, request: ConnectRequest, call_next: ConnectNext) -> Any:
        wanted = role_for(request)
        connection = await call_next(request)
        try:
            role = await request.server_role(connection)  # type: ignore[misc]  # role_for() refuses a driver without it
        except Exception as error:
            error.add_note(
                f"Plugin 'role' could not find out whether {request.host}:{request.port} is a writer or a reader. Check"
                f" that user {request.user!r} may ask for it, or remove the plugin."
            )
            raise
        if role != wanted:
            raise WrongServerError(f"{request.host}:{request.port} is a {role}, not a {wanted}")
        return connection

    def statement_failed(self, request: ConnectRequest, error: BaseException) -> bool:
        return role_for(request) == "writer" and request.refuses_write(error)

    async def must_retire(self, request: ConnectRequest, connection: Any) -> bool:
        """Ask the server. A transaction that the caller made read-only fails with the same error."""
        return request.server_role is not None and await request.server_role(connection, ask=True) != "writer"


def role_for(request: ConnectRequest) -> Role:
    role = request.options.get("role")
    if role is None:
        raise ConfigurationError("role is missing: plugin 'role' needs role='writer' or role='reader'")
    if role not in get_args(Role):
        raise ConfigurationError("role must be 'writer' or 'reader'")
    if request.driver_options.get("target_session_attrs") in OPPOSITES[role]:
        raise ConfigurationError(f"role={role!r} contradicts target_session_attrs: omit target_session_attrs")
    if request.server_role is None:
        raise ConfigurationError(f"plugin 'role': driver {request.driver!r} cannot tell the role of a server")
    return role  # type: ignore[no-any-return]  # checkers do not see the test with get_args()
