"""Tables of the tidy frame: a frame in, a DataFrame out."""
