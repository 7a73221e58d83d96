"""Recording examples of answers from a live server."""
