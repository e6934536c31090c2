"""Values whose attributes do not change."""

from typing import Any, NoReturn, dataclass_transform


@dataclass_transform(eq_default=False, frozen_default=True)  # so that type checkers refuse what is refused here
class Frozen:
    """The base of values whose attributes are set once, by their constructor.

    As good as a frozen dataclass, which takes 1-2 ms to define in CPython 3.11, whenever the package is imported.
    """

    __slots__ = ()

    def _set(self, **attributes: object) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} of a {type(self).__name__} does not change", name=name, obj=self)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name} of a {type(self).__name__} does not change", name=name, obj=self)

    def __setstate__(self, state: tuple[Any, dict[str, object]]) -> None:
        # What copy and pickle have of an object with slots.
        self._set(**state[1])
