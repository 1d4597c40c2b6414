"""Configurations of ``mace_run_train``: written for a training, read for a study."""
