"""The tables of docs/telemetry.md name all spans, metrics and attributes."""

import pytest

from aws_iam_async import PluginManager
from tests.docs.pages import table
from tests.telemetry.conftest import REFUSAL, Rds, Telemetry
from tests.telemetry.test_retirements import Distrust, fail

GAUGE = "aws_iam_async.token.cached"


def names(heading: str) -> set[str]:
    return {name for row in table("docs/telemetry.md", heading) for name in row[0].split("`")[1::2]}


async def test_metrics_and_attributes_are_documented(rds: Rds, telemetry: Telemetry) -> None:
    async with PluginManager(["otel", Distrust(), "iam"]) as manager:
        async with manager.create_pool(rds.dsn, **rds.options, **rds.sizes(1, 1)) as pool:
            await fail(rds, pool)
        rds.emulator.faults.reject_next(2)
        with pytest.raises(rds.refusal):
            await manager.connect(rds.dsn, **rds.options)
        metrics = telemetry.metrics()
        # The gauge may have lost as much as it has gained, by managers of earlier tests.
        assert telemetry.value(GAUGE) >= 1
    assert metrics.keys() | {GAUGE} == names("## Metrics")
    told = {name for described in metrics.values() for attributes in described for name in attributes}
    told |= {name for span in telemetry.spans() for name in span.attributes or ()}
    # psycopg 3.3 has no such code at login.
    missing = {"db.response.status_code"} - REFUSAL[rds.driver].keys()
    assert told == names("## Attributes") - missing
    assert {span.name.partition(" ")[0] for span in telemetry.spans()} == {
        name.partition(" ")[0] for name in names("## Spans")
    }
