"""Imported by each Python process whose clock libfaketime fakes: its clock_nanosleep knows no monotonic clock, so
time.sleep fails there."""

import threading
import time
from typing import SupportsIndex


def _sleep(seconds: SupportsIndex | float, /) -> None:
    threading.Event().wait(float(seconds))


time.sleep = _sleep
