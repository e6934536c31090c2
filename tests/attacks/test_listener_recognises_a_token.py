"""The bare drivers fall for it: so the attackers of the catalogue would have seen a token, had there been one."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

import aiomysql
import asyncpg
import pytest

from tests.attacks.hostile_server import HostileServer, MysqlVictim, PostgresVictim, Victim
from tests.attacks.traces import described, trace

TOKEN = "shop.example:5432/?Action=connect&DBUser=app&X-Amz-Credential=AKIAEXAMPLE&X-Amz-Signature=0123456789abcdef01"


async def robbed(victim: type[Victim], script: Callable[[Victim], None]) -> Victim:
    server = HostileServer(script, victim)
    with contextlib.suppress(Exception):
        if victim is PostgresVictim:
            await asyncpg.connect(host="127.0.0.1", port=server.port, user="app", password=TOKEN, database="shop")
        else:
            context = ssl.create_default_context()
            await aiomysql.connect("127.0.0.1", "app", TOKEN, "shop", server.port, ssl=context)
    await asyncio.to_thread(server.stop)
    (found,) = server.victims
    return found


@pytest.mark.parametrize("method", ["clear", "hash", "challenge"])
@pytest.mark.parametrize("victim", [PostgresVictim, MysqlVictim])
async def test_in_plaintext(victim: type[Victim], method: str) -> None:
    answers = []

    def script(victim: Victim) -> None:
        victim.decline_tls()
        victim.hear_login()
        victim.send(victim.request(method))
        answers.append(victim.hear_answer())
        victim.hang_up()

    robbed_one = await robbed(victim, script)
    found = trace(TOKEN, "app", answers[0])
    if victim is PostgresVictim and method == "challenge":
        assert found is None  # SCRAM's first message holds no password
    else:
        assert (
            found
            == {
                "clear": "16 bytes of it, from 0",
                "hash": "PostgreSQL's MD5" if victim is PostgresVictim else "mysql_native_password",
                "challenge": "caching_sha2_password",
            }[method]
        )
    with pytest.raises(AssertionError):
        described(robbed_one)


@pytest.mark.parametrize("at", [0, 1, 30, 60])
def test_any_part_of_it(at: int) -> None:
    query = TOKEN.partition("?")[2].encode()
    assert trace(TOKEN, "app", b"..." + query[at : at + 16] + b"...") == f"16 bytes of it, from {at}"
    assert trace(TOKEN, "app", b"..." + query[at : at + 15] + b"...") is None
