"""Moved to `clef.ingest.inventory`; this file goes as soon as the rules no longer list it."""
