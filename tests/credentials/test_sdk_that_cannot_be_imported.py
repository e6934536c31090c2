"""The SDK is missing or broken: the error says so."""

import sys
from pathlib import Path

import pytest

from aws_iam_async import CredentialsError
from aws_iam_async.credentials.source import credentials_source
from aws_iam_async.tokens.service import TokenService
from tests.credentials.conftest import AwsHome


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("raise ModuleNotFoundError(\"No module named 'aiobotocore'\", name='aiobotocore')", "No module named"),
        ("from botocore.utils import no_such_name", "cannot import name 'no_such_name'"),
        ("None.no_such_attribute", "no attribute 'no_such_attribute'"),
    ],
    ids=["missing", "another version", "broken"],
)
async def test_it_is_named(
    aws_home: AwsHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, found: str
) -> None:
    aws_home.config.write_text("[profile p]\nregion = us-east-1\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiobotocore"]:
        monkeypatch.delitem(sys.modules, name)
    broken = tmp_path / "site" / "aiobotocore"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "session.py").write_text(f"{module}\n")
    monkeypatch.syspath_prepend(str(broken.parent))
    with pytest.raises(CredentialsError) as raised:
        await TokenService().credentials(credentials_source(profile="p"))
    message = str(raised.value)
    assert found in message
    assert "aiobotocore" in message
    assert "pip install" in message
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiobotocore"]:
        del sys.modules[name]
