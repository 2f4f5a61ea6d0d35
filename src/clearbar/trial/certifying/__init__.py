"""Certificates: what they are about, how they are kept and told, when they are stale."""
