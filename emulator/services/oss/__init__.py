"""Object Storage Service, in its REST form."""
