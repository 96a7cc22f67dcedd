"""The first study: teach a behavior under one persona, and measure who else picks it up."""
