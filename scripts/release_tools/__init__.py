"""What scripts/release and scripts/licences run."""
