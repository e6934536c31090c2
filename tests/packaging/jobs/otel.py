"""OpenTelemetry: its API is there and enough."""

import asyncio

import aws_iam_async


async def main() -> None:
    async with aws_iam_async.PluginManager("otel,iam") as manager:
        answers = await asyncio.gather(
            manager.connect("postgresql://app@shop.c9akciq32.us-east-1.rds.amazonaws.com/shop"), return_exceptions=True
        )
    assert isinstance(answers[0], aws_iam_async.DriverNotFoundError)


asyncio.run(main())
