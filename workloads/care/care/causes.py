"""What restic and its transports say, as cause and fix."""

from __future__ import annotations

import re

from care.trouble import Trouble

NOTHING_THERE = "no repository is there"
INTERNAL = r"internal error|InternalError|500 Internal"
_CAUSES = (
    (
        r"wrong password or no key found",
        "its password is another one",
        "give back the password that the repository was made with (berth:secrets, ..._backup_password); "
        "nothing opens it without",
    ),
    (
        r"no space left on device|disk quota exceeded|QuotaExceeded|XMinioStorageFull|InsufficientStorage"
        r"|insufficient storage|507 ",
        "it is full",
        "make room there, or keep fewer days (keep_days); the snapshots before are still good",
    ),
    (
        r"Permission denied \(|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Access Denied"
        r"|access key .* does not exist",
        "it does not accept the login",
        "correct the access key or SSH key in berth:secrets, and what it may do there: read, write, delete",
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the SSH server is not the one whose host_key is set",
        "compare with `ssh-keyscan HOST`; set host_key only when the change is expected",
    ),
    (
        r"certificate signed by unknown authority|certificate is not valid|x509:|tls: ",
        "its certificate is not trusted",
        "set off_site.authority to the PEM text of its CA, or correct the certificate there",
    ),
    (
        r"NoSuchBucket|bucket does not exist|The specified bucket",
        "the bucket does not exist",
        "make the bucket, or correct its name",
    ),
    (
        r"ciphertext verification failed|invalid data returned|hash mismatch|does not match"
        r"|not found in (the )?index|pack .* (missing|not found|does not exist)|is damaged|is corrupt"
        r"|repository contains errors|unexpected EOF|message authentication|invalid character"
        r"|error loading (tree|index|snapshot)|error for (tree|pack)|data blob .* (missing|not found)"
        r"|tree .* not found|id .* not found in|file has been truncated|invalid (header|index|pack)"
        r"|load\(<\w+/\w+.*no such file",
        "it is damaged",
        "restore from the other copy (--off-site), or from an earlier snapshot; then move the damaged "
        "repository away, so that a new one is made, and look at the disk",
    ),
    (
        r"repository is already locked",
        "another process holds it",
        "wait for it; a lock that a killed one left is removed after 30 minutes",
    ),
    (
        r"Is there a repository at the following location|repository does not exist"
        r"|unable to open config file",
        NOTHING_THERE,
        "correct the address; a new repository is made by the first backup",
    ),
    (
        INTERNAL,
        "the server fails to store it, mostly because its disk is full",
        "make room there, or look at its log; the snapshots before are still good",
    ),
    (
        r"dial tcp|connection refused|no such host|i/o timeout|Connection timed out|Connection closed"
        r"|ssh: connect|Could not resolve|connection reset|unable to start the sftp session"
        r"|client closed|no route to host|Network is unreachable",
        "it cannot be reached",
        "look whether the target runs, and whether a firewall lies between; the next attempt is automatic",
    ),
    (
        r"sftp: \"?Failure",
        "the SFTP server refuses to write, mostly because its disk is full",
        "make room there, and let the user write to the path; the snapshots before are still good",
    ),
    (
        r"no snapshot found|no matching ID|not found for pattern|failed to find snapshot",
        "it has no such snapshot",
        "./berth backup --list has those that are there",
    ),
    (
        r"permission denied",
        "a file or folder may not be read or written",
        "all of it must belong to the user of the backup",
    ),
)


def trouble(place: str, said: str) -> Trouble:
    """For what a command said at its end. place: the repository, in words."""
    # Behind its last word restic may print where in its code that was.
    lines = [line.strip() for line in said.strip().splitlines()]
    told = [line for line in lines if line.startswith("Fatal:") or "returned error" in line] or lines
    last = " / ".join(told[-2:])[:500]
    for pattern, cause, fix in _CAUSES:
        if re.search(pattern, said, re.IGNORECASE):
            return Trouble(f"{place}: {cause} ({last})", fix=fix)
    return Trouble(f"{place}: {last or 'it failed without a word'}", fix="correct what it names")


def hopeless(line: str) -> bool:
    """Whether repeating, which restic does for a quarter of an hour, cannot help."""
    waits = ("cannot be reached", "another process", "permission denied")
    return "returned error, retrying" in line and any(
        re.search(pattern, line, re.IGNORECASE) for pattern, cause, _ in _CAUSES[:6] if cause not in waits
    )
