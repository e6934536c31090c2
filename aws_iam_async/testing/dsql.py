"""The emulator's front end of Aurora DSQL: PostgreSQL's protocol with another login."""

from aws_iam_async.testing import postgres_messages as messages
from aws_iam_async.testing.postgres import PostgresFront, receive_password
from aws_iam_async.testing.record import LoginRecord, Reason
from aws_iam_async.testing.streams import Channel


class DsqlFront(PostgresFront):
    """Serves clients as Aurora DSQL does.

    It finds the cluster by the server's name in the TLS handshake. It requests a token for every user, and refuses all
    tokens in the same words. For some reasons it adds a hint, which are the ones that people have reported.
    """

    async def _log_in_user(self, client: Channel, startup: messages.Startup) -> None:
        name = self._certificates.server_name(client.writer.get_extra_info("ssl_object"))
        if name is None or name.lower() != self._gatekeeper.endpoint.host:
            self._refuse(Reason.WRONG_SERVER_NAME, startup)
            await client.send(messages.connection_refused("sni was not received" if name is None else "invalid sni"))
            await client.close()
        else:
            await super()._log_in_user(client, startup)

    async def _refuse_password(self, client: Channel, startup: messages.Startup, reason: Reason) -> None:
        await client.send(messages.cleartext_password_request())
        await receive_password(client)
        await client.send(self._answer_to_refused(self._refuse(reason, startup)))
        await client.close()

    def _answer_to_refused(self, record: LoginRecord) -> bytes:
        hint = None
        if record.reason is Reason.WRONG_ACTION:
            action = "DbConnect" if record.user == "admin" else "DbConnectAdmin"
            hint = f"Wrong user to action mapping. user: {record.user}, action: {action}"
        elif record.reason is Reason.EXPIRED:
            hint = f"Signature expired: {record.issued_at:%Y%m%dT%H%M%SZ}"
        return messages.connection_refused("access denied", hint)
