"""Entry point of the policy pack: `pulumi preview --policy-pack policies`."""

import gc
import sys
from pathlib import Path

# The engine runs this directory as a program; its modules import each other as the package `policies`.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.analyzer import serve
from policies.pack import rules

serve("berth", "0.1.0", rules)
gc.freeze()  # else the interpreter's end looks through all that was imported: a tenth of a second
