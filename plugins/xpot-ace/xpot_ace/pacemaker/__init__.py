"""What pacemaker and this plugin say to each other: the potential section, input files, files of a potential."""
