"""What the lock files pin, held against what is declared, needed, and known to be bad; offline."""
