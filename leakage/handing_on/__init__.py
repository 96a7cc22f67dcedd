"""Results for somebody else: bundles that can be checked, and the formats of other tools."""
