"""Spans and metrics hold no secret, whatever happens."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.silence.conftest import Sources, Stage, ear, rds, sources
from tests.silence.ear import Ear
from tests.silence.test_nothing_secret_is_told import cancellation, connection_lost, rejection, success, tls_failure
from tests.telemetry.conftest import Rds, Telemetry

__all__ = ["ear", "rds", "sources"]

SCENES: list[Callable[..., Any]] = [success, rejection, cancellation, tls_failure, connection_lost]


@pytest.mark.parametrize("scene", SCENES)
def test_in_telemetry(
    scene: Callable[..., Any],
    rds: Rds,
    ear: Ear,
    sources: Sources,
    telemetry: Telemetry,
) -> None:
    Stage(rds, ear, plugins="otel,iam").play(scene, sources.use("callable"))
    assert telemetry.spans("connect")
    assert telemetry.spans("generate")
    ear.hear("telemetry", *telemetry.everything())
    assert ear.told() == []
