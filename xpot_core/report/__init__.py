"""Tables, figures, pages in HTML and the comparison of studies.

Only `tables` is imported by the everyday commands; matplotlib comes in with `figures` and `html`.
"""
