"""What looks after a system: backups, health, logs."""
