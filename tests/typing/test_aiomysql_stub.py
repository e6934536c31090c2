"""The stub of aiomysql's objects says what aiomysql has."""

import ast
import inspect
from pathlib import Path
from typing import Any

import aiomysql
import pytest

from aws_iam_async.drivers.aiomysql import stubs

STUB = ast.parse(Path(stubs.__file__).with_suffix(".pyi").read_text())

# What is left to aiomysql 0.3.2 itself: internals, what only fails, and an attribute that can be set.
LEFT_OUT = {
    "Cursor": {"arraysize", "max_stmt_length", "setinputsizes", "setoutputsizes"},
    "Connection": {"caching_sha2_password_auth", "next_result", "query", "sha256_password_auth", "write_packet"},
    "Pool": {"close_clients", "abort_clients", "get_loop", "is_serving", "serve_forever", "start_serving"},
}


def declared(name: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    (declaration,) = (node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == f"Typed{name}")
    return {node.name: node for node in declaration.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


@pytest.mark.parametrize("name", ["Cursor", "Connection", "Pool"])
def test_every_public_name_is_declared(name: str) -> None:
    public = {attribute for attribute in dir(getattr(aiomysql, name)) if attribute[0] != "_"}
    exceptions = {attribute for attribute in public if isinstance(getattr(getattr(aiomysql, name), attribute), type)}
    assert public - exceptions - LEFT_OUT[name] == {method for method in declared(name) if method[0] != "_"}


@pytest.mark.parametrize("name", ["Cursor", "Connection", "Pool"])
def test_kinds_and_parameters_agree(name: str) -> None:
    for method, declaration in declared(name).items():
        real: Any = inspect.getattr_static(getattr(aiomysql, name), method)
        is_property = any(isinstance(word, ast.Name) and word.id == "property" for word in declaration.decorator_list)
        assert isinstance(real, property) == is_property, method
        if is_property:
            continue
        arguments = declaration.args
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        if arguments.vararg is not None:
            names.append(arguments.vararg.arg)
        assert names == list(inspect.signature(real).parameters), method
        if inspect.iscoroutinefunction(real):
            assert isinstance(declaration, ast.AsyncFunctionDef), method
