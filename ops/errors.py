"""What a user can act on: a cause and the next step. All else is a defect and keeps its traceback."""


class UserError(Exception):
    """Ends the command with `error: CAUSE` and `fix: FIX` on stderr, and a non-zero exit."""

    def __init__(self, cause: str, *, fix: str, code: int = 1) -> None:
        self.cause = cause
        self.fix = fix
        self.code = code
        super().__init__(f"{cause}\n  fix: {fix}")
