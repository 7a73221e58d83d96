"""Imported by each Python process whose clock libfaketime fakes: its clock_nanosleep knows no monotonic clock, so
time.sleep fails there."""

import threading
import time


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


time.sleep = _sleep
