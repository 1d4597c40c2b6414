"""From frames to Gram blocks: rows are computed in processes, reduced, put together and kept on disk."""
