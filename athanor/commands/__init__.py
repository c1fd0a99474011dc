"""The commands of `athanor`.

These files import only click at the top: the HTTP client and the tables are imported when a command runs.
"""
