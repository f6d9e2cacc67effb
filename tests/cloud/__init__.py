"""The emulated cloud, asked as its users ask it: by the official SDKs, over HTTP."""
