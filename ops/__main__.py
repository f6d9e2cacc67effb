"""`python -m ops`: the command line that ./berth starts."""

from __future__ import annotations

import os
import sys

from ops.errors import UserError
from ops.places import ROOT


def verb_first(arguments: list[str]) -> list[str]:
    """`-s NAME VERB ...` as `VERB -s NAME ...`: both orders come naturally."""
    match arguments:
        case ["-s" | "--stack" as option, name, verb, *rest] if not name.startswith("-"):
            return [verb, option, name, *rest]
        case [option, verb, *rest] if option.startswith("--stack="):
            return [verb, option, *rest]
    return arguments


def main() -> int:
    """Runs the verb; a user's error ends in two lines, a defect keeps its traceback."""
    # ./berth put the project on the path for `-m ops`; the programs that we start find their own way.
    paths = [
        path for path in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if path and path != str(ROOT)
    ]
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)

    arguments = verb_first(sys.argv[1:])

    try:
        from ops.cli import app

        app(arguments, prog_name="berth", standalone_mode=True)
    except SystemExit as error:
        from ops.watching import status

        if (code := status(error.code, arguments)) is not None:
            return code
        raise
    except UserError as error:
        sys.stdout.flush()
        sys.stderr.write(f"error: {error.cause}\n  fix: {error.fix}\n")
        return error.code
    except OSError as error:
        import errno

        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(
            f"error: the disk is full: {error.filename or error}\n  fix: free some space, then run it again\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n  fix: run the same command again; it goes on from where it was\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
