"""Takes audio analysis jobs, does them once each whatever is restarted, and keeps the results."""
