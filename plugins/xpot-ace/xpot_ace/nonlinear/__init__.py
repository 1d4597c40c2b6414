"""Non-linear ACE by the program pacemaker: its input, its run, its potential."""
