"""The one package that touches result folders."""
