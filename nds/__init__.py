"""The node discovery service: which networks exist and who leads each."""
