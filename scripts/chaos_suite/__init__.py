"""The test under faults behind `scripts/chaos`."""
