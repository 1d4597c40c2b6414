"""FitSNAP's library in a process of its own."""
