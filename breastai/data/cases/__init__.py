"""Cases: which image is of which class and which part, and how the parts were told apart."""
