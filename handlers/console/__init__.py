"""The pages that people look at: what this server is, and the documentation of its interface."""

ASSETS_PATH = "/docs/assets"
"""Where the files of the documentation's viewer are served. They come from an installed package."""
