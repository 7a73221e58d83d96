"""Preloaded first by the process that workers are forked from.

Service managers send SIGTERM to every process of a service. The fork server has to outlive its workers, whose
ends it reports; it goes by itself when the API process does. Workers set handlers of their own.
"""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
