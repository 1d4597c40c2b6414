"""From FitSNAP: its inputs and data as study files and extended XYZ."""
