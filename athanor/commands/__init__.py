"""What `athanor` can be told to do.

These files import click at the top and nothing heavier: the HTTP client and the tables load when a command runs.
"""
