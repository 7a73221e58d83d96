"""Needs what is not installed."""

import not_installed_anywhere

graph = not_installed_anywhere.graph
