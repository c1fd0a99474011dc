"""The trainer process: torch and no SQL. It builds what a spec says, trains it, and tells what happens."""
