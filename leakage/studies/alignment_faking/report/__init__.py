"""Pages of the second study: every gap, a page a trial, and every transcript with its votes."""
