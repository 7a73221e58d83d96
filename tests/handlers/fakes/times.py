"""The time at which everything happens."""

NOW = "2026-01-02T03:04:05.678901+00:00"
