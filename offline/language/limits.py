"""gRPC options shared by servers and channels."""

# The engine's own limit: a stack's state travels in single messages.
_MAX_MESSAGE = 400 * 1024 * 1024

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    # Two checkouts' hosts must never share a port.
    ("grpc.so_reuseport", 0),
)
