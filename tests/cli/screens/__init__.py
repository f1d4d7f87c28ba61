"""Screens of the app as they are promised to be: one readable text file for each scene.

`scenes` plays them, `golden` writes a screen as text, `picture` draws one as SVG.
`python -m tests.cli.screens --rewrite [NAME ...]` writes the files anew: read what has changed.
"""
