"""What networks share: activations, recurrences, initialization, images, random numbers."""
