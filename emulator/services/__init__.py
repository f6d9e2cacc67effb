"""The services, each with its requests and its rules."""
