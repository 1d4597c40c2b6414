"""The linear system of a GAP: its rows, what they are fitted to, and with which expected errors."""
