"""Who is who, and how it is shown: the keys of a profile, and what their owner says of them.

What is kept secret stands in `keys`, what everybody may know in `cards`.  The rest of the program
sees bytes: an identity is an Ed25519 public key, a card the public keys that its owner signed.
"""

IDENTITY, TLS, SEAL = "identity.key", "tls.pem", "seal.key"
KEY_FILES = (IDENTITY, TLS, SEAL)  # of a profile
