from xpot_core.api.running import open_study as open
from xpot_core.api.running import run as run
from xpot_core.search.loop import Study as Study

__version__: str
