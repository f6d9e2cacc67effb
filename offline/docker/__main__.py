"""Entry point of the plugin process."""

from offline.docker.server import Provider
from offline.provider.process import main

if __name__ == "__main__":
    main(Provider)
