"""Models: loaded, told apart, spoken to in their chat template, measured before they are loaded."""
