"""The benchmark behind `scripts/bench`."""
