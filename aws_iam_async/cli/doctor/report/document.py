"""The report as one JSON document."""

import json
import platform
import ssl
from collections.abc import Sequence
from typing import Any

import aws_iam_async
from aws_iam_async.cli.doctor.outcome import Status, StepResult

__all__ = ["as_json"]


def as_json(results: Sequence[StepResult]) -> str:
    """Return the document.

    Args:
        results: All steps, in their order.
    """
    document = {
        "ok": all(result.status in {Status.PASSED, Status.WARNING} for result in results),
        "versions": {
            "aws_iam_async": aws_iam_async.__version__,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
        },
        "steps": [_step(result) for result in results],
    }
    return json.dumps(document, indent=2)


def _step(result: StepResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "status": result.status,
        "seconds": None if result.seconds is None else round(result.seconds, 3),
        "detail": result.detail,
        "advice": [{"cause": one.cause, "text": one.text, "code": one.code} for one in result.advice],
    }
