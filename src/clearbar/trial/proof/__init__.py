"""The tests of a bar: sequential, valid at every look. Pure mathematics."""
