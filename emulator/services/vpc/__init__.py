"""Virtual private clouds: networks, their parts, their routes, public addresses."""
