"""Times that the servers are given, and that the checks go by."""

LEASE_SECONDS = 3
"""Without a sign of life of a worker."""
