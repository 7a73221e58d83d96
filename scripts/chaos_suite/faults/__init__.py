"""The faults, by the target that they strike."""

from __future__ import annotations

from dataclasses import replace

from scripts.chaos_suite.faults import postgres, processes, sqlite
from scripts.chaos_suite.faults.fault import Faults

SINGLE: Faults = {**processes.FAULTS, **sqlite.FAULTS}
CLUSTER: Faults = {
    **processes.FAULTS,
    **processes.OF_SEVERAL,
    **postgres.FAULTS,
    "kill-all": replace(processes.FAULTS["kill-all"], weight=1),  # to start five servers takes long
}
