"""The node: one server, many groups, and what its faces may ask of it.

`nodes` is the whole node, `chats` one group of it, `entering` the ways in, `telling` and `views`
what faces are shown, `elections` the book of elections, `hub` the watchers, `checks` the doctor.
"""
