"""A page in the browser that follows the studies of a folder: on this machine only, and read-only."""
