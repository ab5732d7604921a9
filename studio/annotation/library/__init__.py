"""The library: rows imported, searched, filtered, edited and marked."""
