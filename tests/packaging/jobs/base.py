"""Without an extra: tokens, and the name of the extra that a driver needs."""

import asyncio

import aws_iam_async


async def main() -> None:
    host = "shop.cluster-c9akciq32.us-east-1.rds.amazonaws.com"
    token = await aws_iam_async.RdsTokenProvider().get_token(host=host, port=5432, user="app")
    assert token.value.startswith(f"{host}:5432/?")
    for scheme, extra in (("postgresql", "asyncpg"), ("mysql", "aiomysql")):
        answers = await asyncio.gather(aws_iam_async.connect(f"{scheme}://app@{host}/shop"), return_exceptions=True)
        assert isinstance(answers[0], ImportError)
        assert f"aws-iam-async[{extra}]" in str(answers[0])


asyncio.run(main())
