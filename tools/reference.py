"""A griffe extension for the reference pages. It turns Sphinx roles into links and hides private names."""

import re
from collections.abc import Iterator
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth):`~?(?:(?P<path>[\w.]+)\.)?(?P<name>\w+)`")
_PRIVATE = re.compile(r"_[A-Za-z]\w*")
_LABELS = {"class-attribute", "instance-attribute", "module-attribute"}  # these do not help a user


class Reference(griffe.Extension):
    """Changes the objects that griffe has read from the package. The package itself stays as it is."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002 - griffe passes more
        """Replace the roles in a docstring by links."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(lambda role: _link(role, obj), obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:  # noqa: ARG002 - griffe passes more
        """Hide private parameters, default values and labels. This includes the signatures of dataclasses."""
        for obj in _objects(pkg):
            obj.labels -= _LABELS
            if isinstance(obj, griffe.Function):
                obj.parameters = griffe.Parameters(*(_shown(p, pkg) for p in obj.parameters if _is_public(p)))


def _objects(parent: griffe.Object) -> Iterator[griffe.Object]:
    for obj in parent.members.values():
        if isinstance(obj, griffe.Object):  # an alias is not a griffe.Object
            yield obj
            yield from _objects(obj)


def _link(role: re.Match[str], obj: griffe.Object) -> str:
    name = role["name"]
    is_member = name in obj.members
    path = obj.path if is_member else role["path"] or "aws_iam_async"
    return f"[`{name}`][{path}.{name}]"


def _is_public(parameter: griffe.Parameter) -> bool:
    return not _PRIVATE.match(parameter.name)


def _shown(parameter: griffe.Parameter, package: griffe.Module) -> griffe.Parameter:
    """Replace a private default by its value, or by dots."""
    default = parameter.default
    if isinstance(default, griffe.ExprName):
        path = default.canonical_path.removeprefix(f"{package.path}.")
        constant = package[path] if path != default.canonical_path else None
        is_constant = isinstance(constant, griffe.Attribute) and isinstance(constant.value, str)
        parameter.default = constant.value if is_constant else "..."
    elif re.fullmatch(rf"{_PRIVATE.pattern}|.*lambda.*", str(default), re.DOTALL):
        parameter.default = "..."
    return parameter
