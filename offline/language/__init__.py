"""The Python language host: what `pulumi-language-python` is to the official toolchain."""
