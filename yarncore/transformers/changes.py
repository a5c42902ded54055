"""Changes to a model that can be undone: all are made, or none."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

HOOKED = "_old_forward"
"""Where accelerate keeps the method that its hook calls."""


class Reversible(Protocol):
    """What can be made and undone."""

    def make(self) -> None:
        """Make it."""

    def undo(self) -> None:
        """Undo it; what was not made is left alone."""


@dataclass(slots=True, eq=False)
class Change:
    """One value of one module, changed.

    Attributes
    ----------
    module : Module
    name : str
    new : Any
    child : bool
        A module below it; else an attribute of the instance.
    had : bool
        There was an old one, once the change is made.
    old : Any
    """

    module: torch.nn.Module
    name: str
    new: Any
    child: bool = False
    had: bool = False
    old: Any = None

    @property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = self.module._modules if self.child else self.module.__dict__
        return values

    def make(self) -> None:
        """Put the new value in, and keep the old one."""
        self.had, self.old = self.name in self._values, self._values.get(self.name)
        self._values[self.name] = self.new

    def place(self) -> str | None:
        """The name under which the new value stands: another one where accelerate has hooked the module since."""
        for name in (self.name, HOOKED):
            value = self._values.get(name)
            if value is self.new or (isinstance(value, float) and value == self.new):  # pickle makes another float
                return name
        return None

    def undo(self) -> None:
        """Put the old value back; a change that was not made, or was undone, is left alone."""
        name = self.place()
        if name is None:
            return
        if self.had:
            self._values[name] = self.old
        elif name == HOOKED:
            self._values[name] = getattr(type(self.module), self.name).__get__(self.module)
        else:
            del self._values[name]


def make_all(changes: Iterable[Reversible]) -> None:
    """Make changes; where one fails, or the user interrupts, none stays."""
    made: list[Reversible] = []
    try:
        for change in changes:
            made.append(change)
            change.make()
    except BaseException:
        undo_all(made)
        raise


def undo_all(changes: Iterable[Reversible]) -> None:
    """Undo changes, the last first."""
    for change in reversed(list(changes)):
        change.undo()


def check_in_place(changes: Iterable[Any]) -> None:
    """Raise where somebody has put something else in the place of what was changed, so that undoing would lose it.

    Raises
    ------
    ValueError
    """
    for change in changes:
        if isinstance(change, Change) and change.place() is None:
            there = change._values.get(change.name)
            raise ValueError(
                f"{type(change.module).__name__}.{change.name} is {type(there).__name__}, put there after the model was "
                "extended; undo that first"
            )
