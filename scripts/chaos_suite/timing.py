"""Times that the servers are given, and that the checks go by."""

LEASE_SECONDS = 3
"""Without a sign of life of a worker."""
AFTERMATH = 6.0
"""Seconds after a fault in which others may still recover from it."""
