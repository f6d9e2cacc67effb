"""An HTTP gateway that routes by one YAML file and survives the replacement of what is behind it."""
