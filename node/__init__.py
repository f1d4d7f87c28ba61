"""The node: a member of any number of groups, and its faces."""
