"""Measurements: the gateway against the engine's floor and against plain Docker. `python -m bench --help`."""
