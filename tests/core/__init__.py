"""The protocol tried: its parts by tables, its flows by dialogues."""
