"""Registrations of plugins end with their test."""

import pytest

from aws_iam_async.plugins import registry


@pytest.fixture(autouse=True)
def _registrations_end_with_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry belongs to the process and has no public way to remove a plugin.

    Error messages list all registered plugins, and tests of other rooms compare these messages.
    """
    monkeypatch.setattr(registry, "registered", dict(registry.registered))
