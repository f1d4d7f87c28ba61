"""The faces in the terminal: verbs and line mode, and what a full-screen app shares with them."""
