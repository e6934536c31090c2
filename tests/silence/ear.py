"""Listens to everything that a process may tell of itself."""

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

PART = 8


class Ear:
    """Collects all output as strings.

    Attributes:
        texts: The output, each string with its source.
        secrets: The strings that must not be in the output. The check looks for each piece of `PART` characters, so
            that it finds every part of a secret with twice that length.
    """

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.secrets: list[str] = []

    def __repr__(self) -> str:
        return f"<Ear {len(self.texts)} texts>"  # it is in the frames that it reports

    def hear(self, where: str, *texts: object) -> None:
        self.texts += [(where, str(text)) for text in texts]

    def hear_object(self, thing: object) -> None:
        """What a debugger shows of it at first sight."""
        self.hear(type(thing).__name__, repr(thing), repr(getattr(thing, "__dict__", None)))

    def hear_exception(self, error: BaseException, where: str = "exception") -> None:
        """All that error reporters tell: the chain, the groups, the notes, the local variables of all frames."""
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            one = waiting.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            report = traceback.TracebackException.from_exception(one, capture_locals=True)
            self.hear(where, *report.format())
            self.hear(where, str(one), repr(one), repr(one.args), repr(vars(one)), *getattr(one, "__notes__", ()))
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]

    def told(self) -> list[str]:
        """Return the places of secrets in the output, with the characters before them."""
        parts = {secret[at : at + PART] for secret in self.secrets for at in range(0, len(secret) - PART + 1, PART)}
        assert parts
        everything = "\n".join(text for _, text in self.texts)
        found = [part for part in parts if part in everything]
        return [
            f"{where}: {text[max(0, text.index(part) - 80) : text.index(part)]}..."
            for part in found
            for where, text in self.texts
            if part in text
        ]


class Listener(logging.Handler):
    """Hears every record: its text, its parts and the exception in it."""

    def __init__(self, ear: Ear) -> None:
        super().__init__(level=0)
        self._ear = ear

    def emit(self, record: logging.LogRecord) -> None:
        where = f"log {record.name}"
        self._ear.hear(where, record.getMessage(), repr(record.args), repr(record.__dict__), record.stack_info)
        if record.exc_info and record.exc_info[1]:
            self._ear.hear_exception(record.exc_info[1], where)


@contextlib.contextmanager
def listening(ear: Ear) -> Iterator[None]:
    """Turn every logger to its most talkative, and hear every warning and unhandled exception as well."""
    root = logging.getLogger()
    loggers = [root, *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    levels = [(one, one.level) for one in loggers]
    listener = Listener(ear)
    hooks = sys.unraisablehook, threading.excepthook
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: ear.hear("warning", message, repr(message))
        sys.unraisablehook = lambda told: _hear_hook(ear, told)
        threading.excepthook = lambda told: _hear_hook(ear, told)
        for one in loggers:
            one.setLevel(1)
        root.addHandler(listener)
        try:
            yield
        finally:
            gc.collect()
            root.removeHandler(listener)
            for one, level in levels:
                one.setLevel(level)
            sys.unraisablehook, threading.excepthook = hooks


def _hear_hook(ear: Ear, told: Any) -> None:
    ear.hear("hook", repr(told))
    if told.exc_value is not None:
        ear.hear_exception(told.exc_value, "hook")


def hear_loop(ear: Ear, loop: asyncio.AbstractEventLoop) -> None:
    """Turn on a loop's debug mode, report every callback as slow, and collect unhandled errors."""
    loop.set_debug(True)
    loop.slow_callback_duration = 0

    def handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        ear.hear("loop", repr(context))
        if error := context.get("exception"):
            ear.hear_exception(error, "loop")
        loop.default_exception_handler(context)

    loop.set_exception_handler(handler)


def frames_of(task: "asyncio.Task[Any]") -> Iterator[types.FrameType]:
    """The frames in which a task waits, from the outermost."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
