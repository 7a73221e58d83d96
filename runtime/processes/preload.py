"""Imported by the process that workers are forked from, and by nothing else.

It brings in what a worker needs: libraries, never the user's graphs and never an event loop, which could not be
forked safely.
"""

import gc
import signal

# Imports leave next to no garbage, and looking for it takes a sixth of their time.
gc.disable()

# Service managers send SIGTERM to every process of a service. This one has to outlive its workers, whose ends
# it reports; it goes by itself when the API process does. Workers set handlers of their own.
signal.signal(signal.SIGTERM, signal.SIG_IGN)

import runyard.runtime.processes.viewer_main  # noqa: E402 - imported for the viewers
import runyard.runtime.processes.worker_main  # noqa: E402, F401 - imported for the workers

# What is there now is never garbage. Collections in workers then leave its pages alone, so they stay shared.
gc.collect()
gc.freeze()
gc.enable()
