"""The other end of a `Worker`: runs what it is sent until its parent is gone."""

from __future__ import annotations

import importlib
import os
import queue
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any


def serve(descriptor: int, preload: Sequence[str]) -> None:
    """Answer calls that arrive on the connection `descriptor`; never returns."""
    for module in preload:
        importlib.import_module(module)
    connection = Connection(descriptor)
    connection.send(("started", os.getpid()))
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, calls), daemon=True).start()
    while True:
        _answer(connection, calls.get())


def _listen(connection: Connection, calls: queue.SimpleQueue[Any]) -> None:
    """Queue what arrives; end the process, whatever it is doing, when the parent is gone.

    A thread that waits for the end of the connection needs no polling, and notices a parent
    that was killed as surely as one that closed.
    """
    while True:
        try:
            data = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(0)
        calls.put(data)


def _answer(connection: Connection, data: bytes) -> None:
    import pickle

    try:
        function, args, emits = pickle.loads(data)
        options = {"emit": lambda value: connection.send(("emitted", value))} if emits else {}
        answer = ("returned", function(*args, **options))
    except Exception as error:
        error.add_note("in a worker process:\n" + "".join(traceback.format_tb(error.__traceback__)))
        answer = ("raised", error)
    try:
        connection.send(answer)
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:  # an answer that cannot be pickled
        connection.send(("raised", RuntimeError(f"a worker's answer cannot be sent: {error}")))
