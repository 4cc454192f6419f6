"""DAV requests and answers as values: bytes in, typed request out, and back.

The only importer of lxml.
"""
