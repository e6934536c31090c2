"""An extension of griffe for the reference of the site: links for roles of docstrings, and no private names."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth):`~?(?:(?P<path>[\w.]+)\.)?(?P<name>\w+)`")
_PRIVATE = re.compile(r"_[A-Za-z]\w*")


class Reference(griffe.Extension):
    """Changes what griffe has read of the package, and nothing in the package."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002 - griffe passes more
        """Change a docstring and a signature."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(lambda role: _link(role, obj), obj.docstring.value)
        if isinstance(obj, griffe.Function):
            obj.parameters = griffe.Parameters(*filter(_is_public, obj.parameters))


def _link(role: re.Match[str], obj: griffe.Object) -> str:
    name = role["name"]
    is_member = name in obj.members
    path = obj.path if is_member else role["path"] or "aws_iam_async"
    return f"[`{name}`][{path}.{name}]"


def _is_public(parameter: griffe.Parameter) -> bool:
    if re.fullmatch(rf"{_PRIVATE.pattern}|.*lambda.*", str(parameter.default), re.DOTALL):
        parameter.default = "..."  # what users need not know
    return not _PRIVATE.match(parameter.name)
