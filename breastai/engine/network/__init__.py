"""Networks: what they are made of, fed by and saved as."""
