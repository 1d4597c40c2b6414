"""What plugins keep on disk between runs because it is expensive to compute."""

from xpot_core.system.cache.bounded_cache import BoundedCache
from xpot_core.system.cache.entry_file import CacheEntry
from xpot_core.system.cache.folders import cache_folder, cache_limit

__all__ = ["BoundedCache", "CacheEntry", "cache_folder", "cache_limit"]
