"""What a technician does at a node that runs: sees whether location is on, puts a grant in force, takes it back."""
