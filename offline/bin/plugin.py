"""Runs `offline.NAME` as a program, whatever the current directory holds.

`python -m` would put the current directory first on the path, where a user's `docker/` or `types.py` would
shadow ours.
"""

import gc
import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
# All that a start imports stays: neither now nor at the end is there garbage worth the time to look for it.
gc.set_threshold(50_000, 20, 20)
runpy.run_module(f"offline.{sys.argv.pop(1)}", run_name="__main__", alter_sys=True)
gc.freeze()
