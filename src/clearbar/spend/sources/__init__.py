"""The formats that Clearbar reads, one file each. A source never prices and never stores."""
