"""A package, so that the servers that its tests share end with it."""
