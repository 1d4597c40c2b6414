"""The side of the study: choose the structure, start the process of the test, judge its answer."""
