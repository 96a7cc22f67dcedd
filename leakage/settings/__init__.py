"""The settings: typed, frozen, each field marked with the identities it is part of."""
