"""The docker resource plugin: the official schema, served over the docker SDK."""
