"""Prices over charges that are there already: compared with the logs, applied anew."""
