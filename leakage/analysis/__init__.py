"""Statistics and tables: frames in, frames out."""
