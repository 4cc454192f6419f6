"""Properties of resources: one file per family, one table of all (`table.py`).

`respond.Responder` answers what a client asked for; `change.py` applies PROPPATCH and MKCALENDAR.
"""
