"""What every resource plugin has: the protocol of the Pulumi engine, and what a resource is to it."""
