"""What every service shares: requests, signatures, errors, pages, tokens, faults."""
