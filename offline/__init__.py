"""A Pulumi toolchain for machines that cannot download one. Imports nothing else of berth."""
