"""Elastic compute: machines, their disks and network interfaces, and the packet filters in front of them."""
