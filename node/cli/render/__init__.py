"""What people and programs read: pure functions from values to lines and to JSON.

`text` cleans what others wrote, `notices` has the lines of happenings, `tables` the answers of
verbs and slash commands, `records` their JSON.
"""
