"""What `scripts/generate` writes besides the document and its classes."""
