"""The options are known by the plugin, and other programs' names lead to them."""

import re
from typing import Any

import pytest

from aws_iam_async import ConfigurationError, PluginManager, PluginNotFoundError

DSN = "postgresql://shop.c9akciq32.eu-west-1.rds.amazonaws.com/shop"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("secretId", "secret_id"),
        ("secretRegion", "secret_region"),
        ("secretEndpoint", "secret_endpoint"),
        ("secretUsernameProperty", "secret_username_property"),
        ("secretPasswordProperty", "secret_password_property"),
        ("secretsManagerSecretId", "secret_id"),
        ("secretsManagerRegion", "secret_region"),
        ("secretsManagerEndpoint", "secret_endpoint"),
        ("secretsManagerSecretUsernameProperty", "secret_username_property"),
        ("secrets_manager_secret_id", "secret_id"),
        ("secrets_manager_region", "secret_region"),
        ("secrets_manager_secret_password_key", "secret_password_property"),
        ("secretsManagerExpirationSec", "secret_expiration"),
        ("secrets_manager_expiration", "secret_expiration"),
        ("secret_arn", "secret_id"),
        ("secretName", "secret_id"),
    ],
)
async def test_other_names(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"unknown option '{name}' .*: did you mean {meant}\?"):
        await PluginManager("secrets_manager").connect(f"{DSN}?{name}=x")
    with pytest.raises(
        ConfigurationError, match=rf"'{name}' .*: did you mean {meant}\? It needs the plugin 'secrets_manager'"
    ):
        await PluginManager("iam").connect(f"{DSN}?{name}=x")


@pytest.mark.parametrize("name", ["region", "Region", "aws_region", "AWS_REGION", "region_name"])
async def test_a_region_is_that_of_what_the_plugin_asks_for(name: str) -> None:
    for code, meant in (("secrets_manager", "secret_region"), ("iam", "iam_region")):
        with pytest.raises(ConfigurationError, match=rf"'{name}' .*: did you mean {meant}\?"):
            await PluginManager(code).connect(f"{DSN}?{name}=eu-west-1")
        with pytest.raises(ConfigurationError, match=rf"'{name}' .*: did you mean {meant}\?"):
            PluginManager(code, **dict[str, Any]({name: "eu-west-1"}))
    with pytest.raises(ConfigurationError, match=r"'iamRegion' .*: did you mean iam_region\?"):
        await PluginManager("secrets_manager").connect(f"{DSN}?iamRegion=eu-west-1")


@pytest.mark.parametrize("options", [{"secret_id": "x"}, {"secret_region": "eu-west-1"}, {"secret_expiration": 60}])
async def test_an_option_needs_the_plugin(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigurationError, match=f"'{name}' .*: it needs the plugin 'secrets_manager' in plugins="):
        await PluginManager("iam").connect(DSN, **options)
    with pytest.raises(ConfigurationError, match=f"'{name}' .*: it needs the plugin 'secrets_manager' in plugins="):
        await PluginManager("iam").connect(DSN, server_settings=options)
    with pytest.raises(
        ConfigurationError, match=f"'{name}' for a PluginManager with plugins 'iam': it needs the plugin"
    ):
        PluginManager("iam", **options)


@pytest.mark.parametrize("name", ["iam_default_port", "iam_token_expiration"])
async def test_an_option_for_tokens_is_to_be_removed(name: str) -> None:
    """The plugin ``iam`` cannot be added: a chain has one login."""
    advice = "it needs the plugin 'iam' in plugins=; without it, remove the option"
    with pytest.raises(ConfigurationError, match=rf"^unknown option '{name}' .*: {re.escape(advice)}$"):
        await PluginManager("secrets_manager").connect(f"{DSN}?{name}=1")


@pytest.mark.parametrize(
    "code", ["awsSecretsManager", "awsSecretsManager2", "aws_secrets_manager", "secretsManager", "secrets-manager"]
)
def test_codes_of_the_aws_wrappers(code: str) -> None:
    with pytest.raises(PluginNotFoundError, match="did you mean 'secrets_manager'"):
        PluginManager(code)


@pytest.mark.parametrize("plugins", ["iam,secrets_manager", "secrets_manager,otel,iam"])
def test_one_chain_has_one_login(plugins: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("keep one of them")):
        PluginManager(plugins)
