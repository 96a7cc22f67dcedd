"""The figures of the second study: tables in, a Figure out."""
