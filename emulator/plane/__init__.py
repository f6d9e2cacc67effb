"""The machines behind the API: containers on a Docker engine, and the networks between them."""
