"""What the product's parts can do on this machine: `make bench`.  Never part of a test."""
