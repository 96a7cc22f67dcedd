"""What the judges of all studies share: who they are, phrases that tell, and how a reply is read."""
