"""Bytes in and out: the server side and the upstream side of the gateway."""
