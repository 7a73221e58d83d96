"""What `scripts/interface`, `scripts/reference` and `scripts/generate` are made of: the document read and compared."""
